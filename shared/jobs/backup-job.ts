import type { Manifest } from '../backup/manifest.ts';
import type { Backup } from '../contract/schemas/backup.ts';
import type { JobError, Progress } from '../contract/schemas/job.ts';
import { DAY_MS } from '../time.ts';
import { type DurableSteps, runAttempts } from './attempts.ts';
import { bookkeep } from './bookkeeping.ts';
import { CANCELLED } from './cancellation.ts';
import type { BackupEvent } from './events.ts';

type BackupFacts = Pick<
  Backup,
  | 'snapshot_at'
  | 'ended_at'
  | 'expires_at'
  | 'server_version'
  | 'tables'
  | 'rows'
  | 'bytes'
  | 'stored_bytes'
  | 'objects'
>;

/** What the job of a backup needs from the world; see functions/backup.ts. */
export interface BackupJobDependencies {
  /** Creates the job and its catalog entry when a schedule began it; returns their ids. */
  register(event: BackupEvent): Promise<{ jobId: string; backupId: string }>;
  /** @returns false when the job was cancelled before it began */
  start(jobId: string): Promise<boolean>;
  report(jobId: string, progress: Progress): Promise<void>;
  /** Takes the backup; ended by the time limit of the invocation. */
  takeBackup(
    event: BackupEvent,
    ids: { jobId: string; backupId: string },
    report: (progress: Progress) => Promise<void>,
  ): Promise<Manifest>;
  /** Removes what an attempt left in the bucket. */
  sweep(event: BackupEvent, backupId: string): Promise<void>;
  succeed(jobId: string, backupId: string, facts: BackupFacts, warnings: string[]): Promise<void>;
  fail(jobId: string, backupId: string, error: JobError): Promise<void>;
  cancelled(jobId: string): Promise<void>;
  retentionDays: number;
}

/** What the catalog says of a finished backup: the manifest's totals, small enough for a durable step's result. */
function factsOf(manifest: Manifest, retentionDays: number): BackupFacts {
  const { tables, rows, bytes, stored_bytes, objects } = manifest.totals;
  return {
    snapshot_at: new Date(manifest.snapshot.taken_at).toISOString(),
    ended_at: manifest.ended_at,
    expires_at: new Date(Date.parse(manifest.snapshot.taken_at) + retentionDays * DAY_MS).toISOString(),
    server_version: manifest.server_version,
    tables,
    rows,
    bytes,
    stored_bytes,
    objects,
  };
}

/**
 * The durable job of one backup: register, export (again after a passing cause), record. However it ends, the job says so,
 * and the catalog lists the backup as available only if its manifest is written.
 */
export async function runBackupJob(
  event: BackupEvent,
  steps: DurableSteps,
  dependencies: BackupJobDependencies,
): Promise<{ job_id: string; backup_id: string; status: 'succeeded' | 'failed' | 'cancelled' }> {
  const { jobId, backupId, begun } = await bookkeep(steps, 'register', async () => {
    const ids = await dependencies.register(event);
    return { ...ids, begun: await dependencies.start(ids.jobId) };
  });
  if (!begun) return { job_id: jobId, backup_id: backupId, status: 'cancelled' };
  const outcome = await runAttempts(steps, 'export', async (attempt) => {
    if (attempt > 1) await dependencies.sweep(event, backupId);
    try {
      const manifest = await dependencies.takeBackup(event, { jobId, backupId }, (progress) =>
        dependencies.report(jobId, progress),
      );
      return { facts: factsOf(manifest, dependencies.retentionDays), warnings: manifest.warnings };
    } catch (error) {
      // Best effort: the bucket's lifecycle rules and the next attempt remove what cannot be removed now.
      await dependencies.sweep(event, backupId).catch(() => undefined);
      throw error;
    }
  });
  if (outcome.status === 'failed' && outcome.error.code === CANCELLED) {
    await bookkeep(steps, 'record', () => dependencies.cancelled(jobId));
    return { job_id: jobId, backup_id: backupId, status: 'cancelled' };
  }
  await bookkeep(steps, 'record', () =>
    outcome.status === 'done'
      ? dependencies.succeed(jobId, backupId, outcome.result.facts, outcome.result.warnings)
      : dependencies.fail(jobId, backupId, outcome.error),
  );
  return { job_id: jobId, backup_id: backupId, status: outcome.status === 'done' ? 'succeeded' : 'failed' };
}
