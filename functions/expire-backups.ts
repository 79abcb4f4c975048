import type { Context } from 'aws-lambda';
import { dynamodbClient, s3Client } from '../shared/aws/clients.ts';
import { sweepDownloads } from '../shared/backup/download/sweep-downloads.ts';
import { expireBackups } from '../shared/backup/retention/expire.ts';
import { retentionPolicy } from '../shared/backup/retention/policy.ts';
import { readClock } from '../shared/backup/stored-manifest.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { createLogger } from '../shared/http/log.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';
import { scheduledWork } from '../shared/security/audit/subjects.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'backupBucket', 'downloadBucket']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const auditor = openAuditor();
const logger = createLogger('expire-backups');

/** Left of the invocation's time for what is under way when it is over. */
const CLOSING_TIME_MS = 60_000;

/**
 * Removes what no rule of retention keeps, of every configured database; a schedule calls it daily. One database that fails does
 * not hold up the others.
 *
 * @throws Error naming the databases that failed
 */
export async function handler(_event: unknown, context: Pick<Context, 'getRemainingTimeInMillis'>) {
  const signal = AbortSignal.timeout(Math.max(1, context.getRemainingTimeInMillis() - CLOSING_TIME_MS));
  const reports: Awaited<ReturnType<typeof expireBackups>>[] = [];
  const failed: string[] = [];
  for (const database of configuration.databases) {
    try {
      const policy = retentionPolicy(configuration, database);
      const { backupBucket: bucket, downloadBucket } = environment;
      const s3 = s3Client();
      const report = await auditor.audited(scheduledWork('expireBackups', database.id), async (note) => {
        const expired = await expireBackups(database.id, { s3, bucket, downloadBucket, table, policy, signal });
        note.after = expired;
        return expired;
      });
      reports.push(report);
      const isTrouble = report.refused.length + report.damaged.length + report.unlisted.length > 0;
      logger[isTrouble ? 'warn' : 'info']('Backups expired', { ...report });
      const now = (await readClock({ s3, bucket })).getTime();
      const swept = await sweepDownloads({ s3, bucket: downloadBucket, table }, database.id, now);
      logger.info('Downloads expired', { database: database.id, ...swept });
    } catch (error) {
      failed.push(database.id);
      logger.error('Backups could not expire', { database: database.id, error });
    }
  }
  if (failed.length > 0) throw new Error(`Backups could not expire: ${failed.join(', ')}; the log says why`);
  return reports;
}
