import { createBackupCatalog } from '../state/backups.ts';
import type { StateTable } from '../state/table.ts';
import type { MetricValues } from './metrics.ts';

/** How old the newest backup of a database is; unknown while there is none. */
export async function readAges(table: StateTable, database: string, now = Date.now()): Promise<MetricValues> {
  const { items } = await createBackupCatalog(table).list({ database, status: 'available', limit: 1 });
  const [newest] = items;
  return { backup_age_seconds: newest ? (now - Date.parse(newest.snapshot_at ?? newest.created_at)) / 1000 : null };
}
