import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { OperationError } from '../../errors.ts';
import type { Lsn } from '../lsn.ts';
import { type ChangesOf, readDescription } from '../segments/stored-segments.ts';
import { parseSnapshot } from '../transaction-ids.ts';
import { findBeginning } from './find-beginning.ts';
import { type BaseSnapshot, coveredUntil } from './plan-replay.ts';

/** From when to when any moment can be restored. */
export interface RecoveryWindow {
  /** The base that it begins with. */
  base: string;
  /** Times in ISO 8601, UTC. */
  earliest: string;
  latest: { time: string; lsn: Lsn };
}

/**
 * Finds the window: from the oldest base that the stored changes begin before, to where they end.
 *
 * @param bases - the available full backups, oldest first
 * @returns null when there is no such base, or nothing is stored after it
 */
export async function findRecoveryWindow(
  store: ObjectStore,
  of: ChangesOf,
  bases: readonly { id: string; snapshot: BaseSnapshot }[],
  signal: AbortSignal,
): Promise<RecoveryWindow | null> {
  for (const { id, snapshot } of bases) {
    try {
      const { ranges } = await findBeginning(store, of, parseSnapshot(snapshot.transactions), signal);
      const last = ranges.at(-1);
      if (!last) continue;
      const latest = coveredUntil(await readDescription(store, of, last, signal));
      return { base: id, earliest: snapshot.taken_at, latest: { time: latest, lsn: last.lastLsn } };
    } catch (error) {
      if (!(error instanceof OperationError && error.code === 'base_not_covered')) throw error;
    }
  }
  return null;
}
