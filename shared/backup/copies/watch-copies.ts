import { createBackupCatalog } from '../../state/backups.ts';
import { type Copies, readCopies, writeCopies } from '../../state/copies.ts';
import type { StateTable } from '../../state/table.ts';
import { backupPrefix } from '../layout.ts';
import type { Bucket } from '../listing.ts';
import { copyStatusBelow, copyStatusOf } from './copy-status.ts';

/** Keys that are remembered: more of them say no more. */
const MAX_FAILED = 100;

interface WatchDependencies {
  table: StateTable;
  bucket: Bucket;
}

/**
 * Looks how far the copies of a database's backups have come: of each backup that was stored since copies are watched, until all of it
 * is copied, and of objects that S3 said it could not copy.
 *
 * @throws the SDK's errors
 */
export async function watchCopies(
  database: string,
  { table, bucket }: WatchDependencies,
  now = new Date(),
): Promise<Copies> {
  const known = await readCopies(table, database);
  const since = known?.since ?? now.toISOString();
  const entries = await createBackupCatalog(table).entries(database);
  const available = entries.filter(({ backup }) => backup.status === 'available').map(({ backup }) => backup);
  const copied = available.filter(({ id }) => known?.copied.includes(id)).map(({ id }) => id);
  const failed = new Set((await copyStatusOf(bucket, known?.failed ?? [])).failed);
  let waiting_since: string | null = null;
  for (const { id, stored_at, ended_at, created_at } of available) {
    const storedAt = stored_at ?? ended_at ?? created_at;
    if (copied.includes(id) || storedAt < since) continue;
    const status = await copyStatusBelow(bucket, backupPrefix(database, id));
    for (const key of status.failed) failed.add(key);
    if (status.waiting.length + status.failed.length === 0) copied.push(id);
    else if (waiting_since === null || storedAt < waiting_since) waiting_since = storedAt;
  }
  const copies = {
    since,
    checked_at: now.toISOString(),
    copied,
    waiting_since,
    failed: [...failed].slice(0, MAX_FAILED),
  };
  await writeCopies(table, database, copies);
  return copies;
}

/** Notes objects that S3 said it could not copy; the next look tells whether it did so after all. */
export async function noteFailedCopies(table: StateTable, keys: readonly string[], now = new Date()): Promise<void> {
  const byDatabase = Map.groupBy(keys, (key) => /^databases\/([^/]+)\//.exec(key)?.[1] ?? '');
  for (const [database, some] of byDatabase) {
    if (database === '') continue;
    const at = now.toISOString();
    const known = (await readCopies(table, database)) ?? {
      ...{ since: at, checked_at: at, copied: [], waiting_since: null, failed: [] },
    };
    const failed = [...new Set([...known.failed, ...some])].slice(0, MAX_FAILED);
    await writeCopies(table, database, { ...known, failed });
  }
}
