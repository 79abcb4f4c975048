import { Logger } from '@aws-lambda-powertools/logger';
import { redactField } from '../redaction/redact.ts';

/**
 * Writes JSON lines, with what gives itself away as secret or personal masked. Never give it a request's body, headers or query all
 * the same: what nobody should read need not look like it.
 */
export function createLogger(serviceName: string): Logger {
  return new Logger({ serviceName, jsonReplacerFn: redactField });
}
