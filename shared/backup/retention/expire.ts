import { OperationError } from '../../errors.ts';
import { createBackupCatalog, isComplete } from '../../state/backups.ts';
import { createJobStore, isEnded } from '../../state/jobs.ts';
import type { StateTable } from '../../state/table.ts';
import { type Removal, removeBackup } from '../remove.ts';
import { readClock } from '../stored-manifest.ts';
import { readRetained } from './entries.ts';
import { explainRetention } from './explain.ts';
import { lookAtStored } from './look-at-stored.ts';
import type { RetentionPolicy } from './policy.ts';
import { LEFTOVER_AGE_MS, type SweepReport, sweepLeftovers } from './sweep.ts';

/** How long a backup must have lapsed: some of the times that rules go by are those of other machines than S3's. */
const CLOCK_MARGIN_MS = 3_600_000;

export interface ExpiryReport extends SweepReport {
  database: string;
  kept: number;
  removed: string[];
  /** What was to be removed and could not be, with the reason. It is tried again the next time. */
  refused: { id: string; code: string; message: string }[];
  /** Complete, and known to be damaged. */
  damaged: string[];
}

export interface ExpiryDependencies extends Removal {
  policy: RetentionPolicy;
  /** Ends the work before the next removal; the next run goes on. */
  signal: AbortSignal;
  /** What time it is; by default S3 is asked. */
  clock?: () => Promise<Date>;
}

/**
 * Removes the backups of a database that no rule keeps, and what failed ones have left. Every age is taken from what S3 and the
 * State table have recorded and held against S3's clock, never this machine's.
 *
 * @throws what S3 and DynamoDB throw; nothing is half done then that the next run does not go on with
 */
export async function expireBackups(
  database: string,
  { s3, bucket, downloadBucket, table, policy, signal, clock = () => readClock({ s3, bucket }) }: ExpiryDependencies,
): Promise<ExpiryReport> {
  const now = await clock();
  const damaged: string[] = [];
  await endAbandoned(table, database, now);
  const backups = await readRetained(table, database);
  for (const backup of backups) {
    if (!isComplete(backup) || signal.aborted) continue;
    await lookAtStored(backup, { s3, bucket, table }, now);
    if (backup.damage !== null) damaged.push(backup.id);
  }
  const explained = explainRetention(backups, policy, now.getTime() - CLOCK_MARGIN_MS);
  const lapsed = backups.filter(({ id }) => explained.get(id)?.kept_by.length === 0);
  const removed: string[] = [];
  const refused: ExpiryReport['refused'] = [];
  // Newest first, so that what needs another goes before it.
  for (const { id } of lapsed.sort((a, b) => (a.id < b.id ? 1 : -1))) {
    if (signal.aborted) break;
    const stays = refused.find((other) => backups.find((each) => each.id === other.id)?.depends_on.includes(id));
    if (stays) {
      refused.push({ id, code: 'backup_needed', message: `It is needed by ${stays.id}, which could not be removed` });
      continue;
    }
    try {
      // Who needs it has been looked at above, for all of them together.
      await removeBackup({ s3, bucket, downloadBucket, table }, id, { force: true });
      removed.push(id);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      if (error.code === 'unknown_backup') removed.push(id);
      else refused.push({ id, code: error.code, message: error.message });
    }
  }
  const swept = signal.aborted ? nothing : await sweepLeftovers({ s3, bucket, table }, database, now);
  return { database, kept: backups.length - removed.length, removed, refused, damaged, ...swept };
}

const nothing: SweepReport = { swept: [], uploads: 0, unlisted: [] };

/** Lists a backup as failed whose job ended, or is gone, without saying so. */
async function endAbandoned(table: StateTable, database: string, now: Date): Promise<void> {
  const catalog = createBackupCatalog(table);
  const jobs = createJobStore(table);
  for (const { backup } of await catalog.entries(database)) {
    const isOld = now.getTime() - Date.parse(backup.created_at) >= LEFTOVER_AGE_MS;
    if (backup.status !== 'running' || !isOld) continue;
    const job = await jobs.find(backup.job_id);
    if (job && !isEnded(job)) continue;
    await catalog.markFailed(backup.id, job?.error?.message ?? 'The job of this backup has ended');
  }
}
