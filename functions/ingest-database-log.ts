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
  const { records, readable } = await ingestLog(received, { auditor, databases });
  const lines = received.events.length;
  if (lines > 0 && readable === 0) {
    logger.warn(
      'No line of the log could be read: see log_line_prefix and log_destination of the server, and docs/audit.md',
      {
        logGroup: received.logGroup,
        lines,
      },
    );
    return;
  }
  logger.info('A log was read', { logGroup: received.logGroup, lines, readable, records });
}
