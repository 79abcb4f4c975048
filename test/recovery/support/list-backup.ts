import { createBackupCatalog } from '../../../shared/state/backups.ts';
import type { StateTable } from '../../../shared/state/table.ts';
import { DATABASE_ID, type useBackupHarness } from '../../backup/support/harness.ts';
import type { ScratchDatabase } from '../../support/servers.ts';

/** Takes a full backup and lists it as its job would. @returns its id */
export async function takeListedBackup(
  harness: ReturnType<typeof useBackupHarness>,
  table: StateTable,
  source: ScratchDatabase,
): Promise<string> {
  const { id, snapshot, server_version, ended_at } = await harness.backUp(source.target());
  const catalog = createBackupCatalog(table);
  await catalog.create({
    ...{ id, database: DATABASE_ID, backup_type: 'full', custom_name: null },
    ...{ job_id: 'job', requested_by: 'test' },
  });
  const counts = { tables: 1, rows: 1, bytes: 1, stored_bytes: 1, objects: 1 };
  const snapshot_at = new Date(snapshot.taken_at).toISOString();
  await catalog.markAvailable(id, { snapshot_at, ended_at, expires_at: null, server_version, ...counts });
  return id;
}
