import type { DownloadFile } from '../contract/schemas/download.ts';
import type { Job } from '../contract/schemas/job.ts';
import { OperationError } from '../errors.ts';
import { createBackupCatalog } from '../state/backups.ts';
import { beginRestore, findClaimedJob, releaseClaim } from '../state/begin.ts';
import { claimOfFile, type WantedFile } from '../state/downloads.ts';
import { newJobId } from '../state/ids.ts';
import { createJobStore, isEnded, queuedJob } from '../state/jobs.ts';
import type { StateTable } from '../state/table.ts';
import type { DownloadEvent } from './download-job.ts';
import { assertRestorable, explainUnavailable, launch, type Started, type StartFunction } from './start.ts';

interface Wanted extends WantedFile {
  database: string;
}

/**
 * Refuses a backup of which there is nothing to hand out.
 *
 * @throws OperationError `unknown_backup` (also of another database), `backup_not_available` or `not_downloadable`
 */
export async function assertDownloadable(table: StateTable, database: string, backupId: string): Promise<void> {
  await assertRestorable(table, database, backupId);
  const { increment } = await createBackupCatalog(table).get(backupId);
  if (increment === null) return;
  throw new OperationError(
    'not_downloadable',
    `The backup ${backupId} holds changes, of which no script can be made`,
    `Restore it with POST restore and take a full backup of the new database, or download its base ${increment.base}.`,
  );
}

/** The file of a job that has made one which is still there. */
function fileOf(job: Job, now = Date.now()): DownloadFile | null {
  const { download: file } = job;
  return file && Date.parse(file.expires_at) > now ? file : null;
}

/**
 * Begins the job that makes a backup's file, unless one does already or has made one that is still there.
 *
 * @throws OperationError as {@link assertDownloadable}, or `job_not_started` (the job is then marked as failed)
 */
export async function startDownload(
  { table, startFunction }: { table: StateTable; startFunction: StartFunction<DownloadEvent> },
  { requestedBy, ...wanted }: Wanted & { requestedBy: string },
): Promise<Started> {
  // A repeated request would find its job though the backup is gone.
  await assertDownloadable(table, wanted.database, wanted.backupId);
  const claim = claimOfFile(wanted);
  const jobs = createJobStore(table);
  const claimed = await findClaimedJob(table, claim);
  const earlier = claimed === null ? null : await jobs.find(claimed);
  if (claimed !== null && (!earlier || (isEnded(earlier) && !fileOf(earlier)))) {
    await releaseClaim(table, claim, claimed);
  }
  const id = newJobId();
  const { database, backupId, format } = wanted;
  const begun = await beginRestore<DownloadEvent>(table, {
    job: queuedJob({
      id,
      kind: 'download',
      database,
      requested_by: requestedBy,
      backup_id: backupId,
      target_database: null,
    }),
    event: { database, backup_id: backupId, format, job_id: id },
    claim,
  }).catch(async (error: unknown) => {
    throw await explainUnavailable(table, database, backupId, error);
  });
  const started = await launch(table, startFunction, begun, claim);
  // The claim has kept its first job as it was when it began.
  return { ...started, job: await jobs.get(started.job.id) };
}

/**
 * Finds the job that makes a backup's file, or the file itself.
 *
 * @throws OperationError `download_not_made`, saying why there is none
 */
export async function findDownload(
  table: StateTable,
  wanted: Wanted,
): Promise<{ job: Job; file: null } | { job: Job; file: DownloadFile }> {
  const id = await findClaimedJob(table, claimOfFile(wanted));
  const job = id === null ? null : await createJobStore(table).find(id);
  if (!job) throw notMade(wanted, 'nobody has asked for it');
  if (!isEnded(job)) return { job, file: null };
  const file = fileOf(job);
  if (file) return { job, file };
  if (job.status === 'succeeded') throw notMade(wanted, 'it has expired');
  throw notMade(
    wanted,
    `its job ${job.id} ${job.status === 'failed' ? `failed: ${job.error?.message}` : 'was cancelled'}`,
  );
}

function notMade({ backupId, format }: Wanted, why: string): OperationError {
  return new OperationError(
    'download_not_made',
    `There is no file ${format} of the backup ${backupId}: ${why}`,
    `Have it made with POST backups/${backupId}/download?format=${format}.`,
  );
}
