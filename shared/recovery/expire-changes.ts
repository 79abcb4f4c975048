import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { listKeys } from '../backup/listing.ts';
import type { ObjectStore } from '../backup/objects/object-store.ts';
import { type Lsn, lsnDigits } from '../changes/lsn.ts';
import { changesLocation } from '../changes/segments/layout.ts';
import { type ChangesOf, listSlots } from '../changes/segments/stored-segments.ts';
import { parseSnapshot } from '../changes/transaction-ids.ts';
import { findBeginning } from '../changes/window/find-beginning.ts';
import { OperationError } from '../errors.ts';
import { createBackupCatalog } from '../state/backups.ts';
import { readRecovery } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { type Base, listBases, readSnapshot } from './bases.ts';

export interface ExpireDependencies {
  table: StateTable;
  store: ObjectStore;
  /** Ends the work before the next object; the next run goes on. */
  signal: AbortSignal;
}

/**
 * Removes the stored changes that no backup of the list needs: of each slot, what the oldest full backup that they can be repeated on has
 * in it already, and all of a former slot when such backups have all of it in them, or none is left.
 *
 * @returns how many objects were removed, by slot
 * @throws OperationError of the store
 */
export async function expireChanges(
  database: string,
  { table, store, signal }: ExpireDependencies,
): Promise<Record<string, number>> {
  const removed: Record<string, number> = {};
  // In this order: a backup that is available by now was running, or listed, before.
  const isRunning = (await createBackupCatalog(table).entries(database)).some(
    ({ backup }) => backup.status === 'running' && backup.backup_type === 'full',
  );
  const current = await readRecovery(table, database);
  const bases = await listBases(table, database);
  for (const slot of await listSlots(store, database)) {
    const of = { database, slot };
    const found = await neededFrom(of, bases, { store, signal });
    // Before its first backup a slot's changes wait for it; so do those of a former one while a backup is being taken.
    const isFormer = slot !== current?.slot && !isRunning;
    const isOver = isFormer && (found === null || found.isAllPast);
    const isPast = isOver ? () => true : before(found);
    removed[slot] = await removeObjects(of, isPast, { store, signal });
  }
  return removed;
}

interface Needed {
  /** Until where changes can go. */
  past: Lsn | null;
  /** The oldest backup, and so each later one, has all of them in it. */
  isAllPast: boolean;
}

/** Until where changes can go; null when no backup of the list needs them. */
async function neededFrom(
  of: ChangesOf,
  bases: readonly Base[],
  { store, signal }: Pick<ExpireDependencies, 'store' | 'signal'>,
): Promise<Needed | null> {
  for (const base of bases) {
    const snapshot = parseSnapshot((await readSnapshot(store, base, signal)).transactions);
    try {
      const { past, ranges } = await findBeginning(store, of, snapshot, signal);
      return { past: past.at(-1)?.lastLsn ?? null, isAllPast: ranges.length === 0 };
    } catch (error) {
      if (!(error instanceof OperationError && error.code === 'base_not_covered')) throw error;
    }
  }
  return null;
}

/** Whether an object is of a segment that ends before a position; its name begins with where it begins and ends. */
function before(found: Needed | null): (name: string) => boolean {
  const limit = found?.past ? lsnDigits(found.past) : null;
  return (name) => {
    const [, last] = /^[0-9A-F]{16}-([0-9A-F]{16})\./.exec(name) ?? [];
    return limit !== null && last !== undefined && last <= limit;
  };
}

/**
 * One after the other, from the oldest on, and of each segment its description first: what is left when this is ended in the middle
 * has no gap.
 */
async function removeObjects(
  { database, slot }: ChangesOf,
  isPast: (name: string) => boolean,
  { store, signal }: Pick<ExpireDependencies, 'store' | 'signal'>,
): Promise<number> {
  const { prefix } = changesLocation(database, slot);
  let removed = 0;
  for (const key of await listKeys(store, prefix)) {
    if (signal.aborted) break;
    if (!isPast(key.slice(prefix.length))) continue;
    await store.s3.send(new DeleteObjectCommand({ Bucket: store.bucket, Key: key }));
    removed += 1;
  }
  return removed;
}
