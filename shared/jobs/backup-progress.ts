import type { Backup } from '../contract/schemas/backup.ts';
import type { JobStore } from '../state/jobs.ts';

/** Running backups with the progress of their jobs; others as they are. */
export function withProgress(jobs: Pick<JobStore, 'find'>, backups: readonly Backup[]): Promise<Backup[]> {
  return Promise.all(
    backups.map(async (backup) => {
      if (backup.status !== 'running') return backup;
      return { ...backup, progress: (await jobs.find(backup.job_id))?.progress ?? null };
    }),
  );
}
