import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { OperationError } from '../../errors.ts';
import type { Lsn } from '../lsn.ts';
import { type ChangesOf, readDescription } from '../segments/stored-segments.ts';
import { parseSnapshot, type TransactionSnapshot } from '../transaction-ids.ts';
import { type Covered, type LatestMoment, latestMoment, type Stored, storedAfter } from './coverage.ts';
import { findBeginning } from './find-beginning.ts';
import type { BaseSnapshot } from './plan-replay.ts';

/** From when to when any moment can be restored. */
export interface RecoveryWindow {
  /** The base that it begins with. */
  base: string;
  /** Time in ISO 8601, UTC. */
  earliest: string;
  latest: LatestMoment;
}

/** What is stored after a base, and where the replay on it begins. */
export interface Reach {
  snapshot: TransactionSnapshot;
  from: Lsn;
  stored: Stored;
}

/**
 * Finds how far the changes after a base are stored.
 *
 * @param covered - what the last run of the capture has found
 * @param settledMs - as of `planReplay`
 * @returns null when the changes do not begin before the base
 */
export async function reachOf(
  store: ObjectStore,
  of: ChangesOf,
  base: BaseSnapshot,
  covered: Covered | null,
  signal: AbortSignal,
  settledMs?: number,
): Promise<Reach | null> {
  const snapshot = parseSnapshot(base.transactions);
  try {
    const { from, ranges } = await findBeginning(store, of, snapshot, signal);
    const last = ranges.at(-1);
    const description = last && (await readDescription(store, of, last, signal));
    return { snapshot, from, stored: storedAfter(from, description, covered, settledMs) };
  } catch (error) {
    if (error instanceof OperationError && error.code === 'base_not_covered') return null;
    throw error;
  }
}

/**
 * Finds the window: from the oldest base that the stored changes begin before, to where they end.
 *
 * @param bases - the available full backups, oldest first
 * @returns null when there is no such base
 */
export async function findRecoveryWindow(
  store: ObjectStore,
  of: ChangesOf,
  bases: readonly { id: string; snapshot: BaseSnapshot }[],
  signal: AbortSignal,
  covered: Covered | null = null,
): Promise<RecoveryWindow | null> {
  for (const { id, snapshot } of bases) {
    const reach = await reachOf(store, of, snapshot, covered, signal);
    if (reach) return { base: id, earliest: snapshot.taken_at, latest: latestMoment(snapshot, reach.stored) };
  }
  return null;
}
