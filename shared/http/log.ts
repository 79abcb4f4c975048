import { Logger } from '@aws-lambda-powertools/logger';

/** Writes JSON lines. Never give it a request's body, headers or query: they may hold what nobody should read. */
export function createLogger(serviceName: string): Logger {
  return new Logger({ serviceName });
}
