import { createBackupCatalog } from '../state/backups.ts';
import { readRecovery } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { backupAges } from './backup-ages.ts';
import type { MetricValues } from './metrics.ts';

/**
 * How old the newest backup of a database is, the newest proven one, and what is captured of its changes; unknown while there is none.
 * The age of a capture counts on when the window was closed: nothing is captured then.
 */
export async function readAges(table: StateTable, database: string, now = Date.now()): Promise<MetricValues> {
  const entries = await createBackupCatalog(table).entries(database);
  const { newest, newestProven } = backupAges(
    entries.map(({ backup }) => backup),
    now,
  );
  const recovery = await readRecovery(table, database);
  const captured = recovery && Date.parse(recovery.captured_at ?? recovery.turned_on_at);
  return {
    backup_age_seconds: newest,
    proven_backup_age_seconds: newestProven,
    capture_age_seconds: captured === null ? null : Math.max(0, Math.round((now - captured) / 1000)),
  };
}
