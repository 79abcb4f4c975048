import type { Database, RuntimeConfiguration } from '../../../configuration/runtime.ts';
import { readAges } from '../../../health/ages.ts';
import { readCopies } from '../../../state/copies.ts';
import { readRecovery } from '../../../state/recovery.ts';
import type { StateTable } from '../../../state/table.ts';

/** How a database is backed up. */
export interface BackupsReading {
  /** Of the newest complete full backup, and of the newest that a drill has restored, in seconds; null: there is none. */
  newest: number | null;
  newestProven: number | null;
  retentionDays: number;
  /** Whether point-in-time recovery is on. */
  recovery: boolean;
  /** Whether full backups are taken by themselves. */
  scheduled: boolean;
  /** Whether drills have a server. */
  drills: boolean;
  objectLockDays: number | null;
  /** Of copies in a second region; null: none are configured. `uncopiedSeconds` is null where nobody has looked lately. */
  copies: { bucket: string; uncopiedSeconds: number | null; failed: readonly string[] } | null;
}

export interface BackupsDependencies {
  configuration: RuntimeConfiguration;
  table: StateTable;
  /** Of the backups. */
  bucket: string;
  /** Whether full backups are taken by themselves. */
  hasSchedule(): Promise<boolean>;
}

/** @throws the SDK's errors */
export async function readBackupsSection(
  database: Pick<Database, 'id' | 'retention'>,
  { configuration, table, bucket, hasSchedule }: BackupsDependencies,
  now: number,
): Promise<BackupsReading> {
  const [ages, recovery, scheduled, copies] = await Promise.all([
    readAges(table, database.id, now),
    readRecovery(table, database.id),
    hasSchedule(),
    readCopies(table, database.id),
  ]);
  return {
    newest: ages.backup_age_seconds ?? null,
    newestProven: ages.proven_backup_age_seconds ?? null,
    retentionDays: database.retention?.days ?? configuration.backups.retention_days,
    recovery: recovery !== null && recovery.closed === null,
    scheduled,
    drills: configuration.drills.server !== null,
    objectLockDays: configuration.backups.object_lock?.days ?? null,
    copies: copies && { bucket, uncopiedSeconds: ages.uncopied_seconds ?? null, failed: copies.failed },
  };
}
