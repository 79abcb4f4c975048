import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { backupIdSchema } from '../../contract/schemas/backup.ts';
import { createBackupCatalog, isComplete } from '../../state/backups.ts';
import { createJobStore, isEnded } from '../../state/jobs.ts';
import type { StateTable } from '../../state/table.ts';
import { DAY_MS } from '../../time.ts';
import { backupPrefix } from '../layout.ts';
import { type Bucket, listStoredBackups } from '../listing.ts';
import { abortUploads, deleteObjects } from '../remove.ts';
import { inspectManifest } from '../stored-manifest.ts';

/** Nothing younger is taken for a leftover, by S3's times alone: many times what one invocation can take. */
export const LEFTOVER_AGE_MS = DAY_MS;

export interface SweepReport {
  /** Backups that were never finished and of which objects were left. */
  swept: string[];
  /** How many forgotten uploads were ended. */
  uploads: number;
  /** Complete backups in the bucket that the catalog does not have: it can be rebuilt. */
  unlisted: string[];
}

/**
 * Removes what backups of a database that came to nothing have left in the bucket: without a manifest, without a job at work, and
 * old. Only objects under a backup's prefix that have the names this system gives are touched.
 *
 * @param now - by S3's clock
 * @throws OperationError `objects_left`
 */
export async function sweepLeftovers(
  { s3, bucket, table }: Bucket & { table: StateTable },
  database: string,
  now: Date,
): Promise<SweepReport> {
  const backups = createBackupCatalog(table);
  const jobs = createJobStore(table);
  const isOld = (at: Date | undefined) => at !== undefined && now.getTime() - at.getTime() >= LEFTOVER_AGE_MS;
  const isOurs = (key: string) => key.endsWith('.enc');
  /** null: nothing is known of it. */
  const stateOf = async (id: string): Promise<'listed' | 'being made' | 'failed' | null> => {
    const backup = await backups.find(id);
    if (!backup) return null;
    if (backup.status !== 'running') return backup.status === 'failed' ? 'failed' : 'listed';
    const job = await jobs.find(backup.job_id);
    return job && !isEnded(job) ? 'being made' : 'failed';
  };

  const report: SweepReport = { swept: [], uploads: 0, unlisted: [] };
  const known = new Set(
    (await backups.entries(database)).filter(({ backup }) => isComplete(backup)).map(({ backup }) => backup.id),
  );
  for (const id of await listStoredBackups({ s3, bucket }, database)) {
    if (known.has(id)) continue;
    const prefix = backupPrefix(database, id);
    const state = await stateOf(id);
    if (state === 'listed' || state === 'being made') continue;
    if ((await inspectManifest({ s3, bucket }, prefix)).storedAt !== null) {
      if (state === null) report.unlisted.push(id);
      continue;
    }
    const newest = await newestObject({ s3, bucket }, prefix, isOurs);
    if (!isOld(newest)) continue;
    await deleteObjects({ s3, bucket }, prefix, isOurs);
    report.swept.push(id);
  }

  const underBackups = backupPrefix(database, '').slice(0, -1);
  report.uploads = await abortUploads({ s3, bucket }, `${underBackups}bkp-`, async ({ Key = '', Initiated }) => {
    const [id = ''] = Key.slice(underBackups.length).split('/', 1);
    if (!isOld(Initiated) || !isOurs(Key) || !backupIdSchema.safeParse(id).success) return false;
    return (await stateOf(id)) !== 'being made';
  });
  return report;
}

/** When the youngest of our objects below a prefix was stored; undefined without one. */
async function newestObject(
  { s3, bucket }: Bucket,
  prefix: string,
  isOurs: (key: string) => boolean,
): Promise<Date | undefined> {
  let newest: Date | undefined;
  let token: string | undefined;
  do {
    const page: ListObjectsV2CommandOutput = await s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...(token ? { ContinuationToken: token } : {}) }),
    );
    for (const { Key = '', LastModified } of page.Contents ?? []) {
      if (isOurs(Key) && LastModified && (!newest || LastModified > newest)) newest = LastModified;
    }
    token = page.NextContinuationToken;
  } while (token);
  return newest;
}
