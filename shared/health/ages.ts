import { createBackupCatalog } from '../state/backups.ts';
import type { StateTable } from '../state/table.ts';
import { backupAges } from './backup-ages.ts';
import type { MetricValues } from './metrics.ts';

/** How old the newest backup of a database is, and the newest proven one; unknown while there is none. */
export async function readAges(table: StateTable, database: string, now = Date.now()): Promise<MetricValues> {
  const entries = await createBackupCatalog(table).entries(database);
  const { newest, newestProven } = backupAges(
    entries.map(({ backup }) => backup),
    now,
  );
  return { backup_age_seconds: newest, proven_backup_age_seconds: newestProven };
}
