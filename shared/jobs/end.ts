import type { DownloadFile } from '../contract/schemas/download.ts';
import type { Job, JobError, Unfinished } from '../contract/schemas/job.ts';
import { type BackupFacts, createBackupCatalog } from '../state/backups.ts';
import { createJobStore } from '../state/jobs.ts';
import { recordLostBase } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import type { ValidationEnd } from './validation-job.ts';

/**
 * Records that a backup is complete: first in the catalog, then at its job. Safe to repeat.
 *
 * @throws OperationError `backup_not_running`, when the backup was given up meanwhile
 */
export async function succeedBackup(
  table: StateTable,
  {
    jobId,
    backupId,
    facts,
    warnings,
  }: { jobId: string; backupId: string; facts: BackupFacts; warnings: readonly string[] },
): Promise<void> {
  await createBackupCatalog(table).markAvailable(backupId, facts);
  await createJobStore(table).succeed(jobId, { warnings });
}

/** Records that a restore is complete, and lets go of its backup. Safe to repeat. */
export async function succeedRestore(
  table: StateTable,
  {
    jobId,
    backupId,
    warnings,
    keptDatabase = null,
  }: { jobId: string; backupId: string; warnings: readonly string[]; keptDatabase?: string | null },
): Promise<void> {
  const swap = keptDatabase === null ? null : { kept_database: keptDatabase, swapped_back_at: null };
  await createJobStore(table).succeed(jobId, { warnings, swap });
  await createBackupCatalog(table).releaseRestore(backupId, jobId);
}

/** Records that the file of a download is made, and lets go of its backup. Safe to repeat. */
export async function succeedDownload(
  table: StateTable,
  { jobId, backupId, file }: { jobId: string; backupId: string; file: DownloadFile },
): Promise<void> {
  await createJobStore(table).succeed(jobId, { warnings: [], download: file });
  await createBackupCatalog(table).releaseRestore(backupId, jobId);
}

/**
 * Records what came of a validation, at its backup and its job, and lets go of the backup. Safe to repeat.
 */
export async function endValidation(
  table: StateTable,
  { jobId, backupId, report, outcome, error, warnings }: ValidationEnd,
): Promise<void> {
  const backups = createBackupCatalog(table);
  const jobs = createJobStore(table);
  const ended_at = new Date().toISOString();
  await backups.recordValidation(backupId, { job_id: jobId, level: report.level, outcome, ended_at, error });
  if (outcome === 'failed' && report.level === 'integrity') {
    const backup = await backups.find(backupId);
    if (backup) await recordLostBase(table, backup, new Date(ended_at));
  }
  await jobs.recordValidation(jobId, report);
  if (error === null) await jobs.succeed(jobId, { warnings });
  else await jobs.fail(jobId, error);
  await backups.releaseRestore(backupId, jobId);
}

/**
 * Records that a job has failed, with all that follows from it: its unfinished backup is listed as failed, the backup it
 * read is let go. Safe to repeat.
 *
 * @param from - the states in which it may fail; by default any that has not ended
 * @returns false when the job had ended already (or is in none of these states)
 */
export async function failJob(
  table: StateTable,
  jobId: string,
  error: JobError,
  from?: readonly Job['status'][],
  unfinished: Unfinished | null = null,
): Promise<boolean> {
  const jobs = createJobStore(table);
  const failed = await jobs.fail(jobId, error, from, unfinished);
  await letGo(table, await jobs.find(jobId), error.message);
  return failed;
}

/**
 * Records that a job ended because somebody cancelled it, with what follows as in {@link failJob}. Safe to repeat.
 *
 * @returns false when the job had ended already (or is in none of the states `from`)
 */
export async function cancelJob(table: StateTable, jobId: string, from?: readonly Job['status'][]): Promise<boolean> {
  const jobs = createJobStore(table);
  const cancelled = await jobs.cancel(jobId, from);
  await letGo(table, await jobs.find(jobId), 'It was cancelled');
  return cancelled;
}

/** Also for a job that ended before: a crash may have come between the two writes. */
async function letGo(table: StateTable, job: Job | null, reason: string): Promise<void> {
  if (job === null || job.backup_id === null || (job.status !== 'failed' && job.status !== 'cancelled')) return;
  const backups = createBackupCatalog(table);
  if (job.kind === 'backup') await backups.markFailed(job.backup_id, job.error?.message ?? reason);
  else await backups.releaseRestore(job.backup_id, job.id);
}
