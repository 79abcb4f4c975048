import { backupLocation } from '../backup/location.ts';
import type { ObjectStore } from '../backup/objects/object-store.ts';
import { readManifest } from '../backup/restore/prepare.ts';
import type { BaseSnapshot } from '../changes/window/plan-replay.ts';
import type { Backup } from '../contract/schemas/backup.ts';
import { canCarryChanges, createBackupCatalog } from '../state/backups.ts';
import type { StateTable } from '../state/table.ts';

/** A backup that changes can be replayed on. */
export type Base = Backup & { snapshot_at: string };

/** The full backups of a whole database on which changes can be repeated, oldest first. */
export async function listBases(table: StateTable, database: string): Promise<Base[]> {
  const entries = await createBackupCatalog(table).entries(database);
  return entries
    .map(({ backup }) => backup)
    .filter((backup): backup is Base => canCarryChanges(backup) && backup.snapshot_at !== null)
    .sort((a, b) => Date.parse(a.snapshot_at) - Date.parse(b.snapshot_at));
}

/** What a backup saw. The catalog knows its time alone. */
export async function readSnapshot(
  store: ObjectStore,
  { id, database }: Pick<Backup, 'id' | 'database'>,
  signal: AbortSignal,
): Promise<BaseSnapshot> {
  const { snapshot } = await readManifest({ store, location: backupLocation(database, id) }, signal);
  return snapshot;
}
