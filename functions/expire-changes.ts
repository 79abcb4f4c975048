import type { Context } from 'aws-lambda';
import { dynamodbClient, s3Client } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { createLogger } from '../shared/http/log.ts';
import { expireChanges } from '../shared/recovery/expire-changes.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';
import { scheduledWork } from '../shared/security/audit/subjects.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'backupBucket', 'backupKeyArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };
const auditor = openAuditor();
const logger = createLogger('expire-changes');

/** Left of the invocation's time for what is under way when it is over. */
const CLOSING_TIME_MS = 30_000;

/**
 * Removes captured changes that no backup needs, of every configured database; a rule calls it daily. One database that fails does not
 * hold up the others.
 *
 * @throws Error naming the databases that failed
 */
export async function handler(_event: unknown, context: Pick<Context, 'getRemainingTimeInMillis'>): Promise<void> {
  const signal = AbortSignal.timeout(Math.max(1, context.getRemainingTimeInMillis() - CLOSING_TIME_MS));
  const failed: string[] = [];
  for (const { id } of configuration.databases) {
    try {
      const removed = await auditor.audited(scheduledWork('expireChanges', id), async (note) => {
        const removed = await expireChanges(id, { table, store, signal });
        note.after = { removed };
        return removed;
      });
      logger.info('Changes expired', { database: id, removed });
    } catch (error) {
      failed.push(id);
      logger.error('Changes could not expire', { database: id, error });
    }
  }
  if (failed.length > 0) throw new Error(`Changes could not expire: ${failed.join(', ')}; the log says why`);
}
