import { readSubscription } from '../shared/aws/read-subscription.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { createLogger } from '../shared/http/log.ts';
import { ingestLog } from '../shared/security/audit/database-log/ingest.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';

const { databases } = loadConfiguration();
const auditor = openAuditor();
const logger = createLogger('ingest-database-log');

/** Takes what CloudWatch Logs sends of the servers' logs into the audit trail. */
export async function handler(event: unknown): Promise<void> {
  const received = await readSubscription(event);
  const records = await ingestLog(received, { auditor, databases });
  logger.info('A log was read', { logGroup: received.logGroup, lines: received.events.length, records });
}
