import type { Backup } from '../../contract/schemas/backup.ts';
import { createBackupCatalog } from '../../state/backups.ts';
import { createJobStore, isEnded } from '../../state/jobs.ts';
import type { StateTable } from '../../state/table.ts';
import { explainRetention, type RetainedBackup } from './explain.ts';
import type { RetentionPolicy } from './policy.ts';

/** All backups of a database as retention sees them: with the jobs that read them, as far as these are still at work. */
export async function readRetained(table: StateTable, database: string): Promise<(Backup & RetainedBackup)[]> {
  const jobs = createJobStore(table);
  const entries = await createBackupCatalog(table).entries(database);
  return Promise.all(
    entries.map(async ({ backup, readers }) => {
      const found = await Promise.all(readers.map((id) => jobs.find(id)));
      return { ...backup, readers: found.flatMap((job) => (job && !isEnded(job) ? [job.id] : [])) };
    }),
  );
}

/** Backups of one database with why they are kept, and until when; as they are when its policy is not known. */
export async function withRetention(
  table: StateTable,
  policy: RetentionPolicy | undefined,
  backups: readonly Backup[],
): Promise<Backup[]> {
  const [first] = backups;
  if (!first || !policy) return [...backups];
  // Which backup is the first of its week, or the newest, only all of them together tell.
  const all = explainRetention(await readRetained(table, first.database), policy, Date.now());
  return backups.map((backup) => {
    const retention = backup.status === 'deleting' ? undefined : all.get(backup.id);
    return retention ? { ...backup, retention, expires_at: retention.expires_at } : backup;
  });
}
