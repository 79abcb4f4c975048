import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { OperationError } from '../../errors.ts';
import type { Verifier } from '../definitions/signature.ts';
import { compareLsn, type Lsn } from '../lsn.ts';
import { verifierOf } from '../segments/description.ts';
import type { SegmentRange } from '../segments/layout.ts';
import { type ChangesOf, listSegments, readDescription, readSlotRecord } from '../segments/stored-segments.ts';
import type { TransactionSnapshot } from '../transaction-ids.ts';
import { countLeading, followSegments } from './chain.ts';

/** The stored changes, seen from a base backup. */
export interface ChangesSince {
  /** All that committed before it is in the base. */
  from: Lsn;
  /** Segments from there on, as far as there is no gap. */
  ranges: SegmentRange[];
  /** Segments that this base, and any later one, can do without. */
  past: SegmentRange[];
  /** Judges the messages of the segments. */
  verify: Verifier;
}

/**
 * Finds the first segment that a base needs. A segment is in the base whole when no transaction that was without an end at the base's
 * snapshot could have been in the segment, or before it: every number below the snapshot's `xmin` had ended.
 *
 * @throws OperationError `base_not_covered` when the changes do not begin before the base
 */
export async function findBeginning(
  store: ObjectStore,
  of: ChangesOf,
  { xmin }: TransactionSnapshot,
  signal: AbortSignal,
): Promise<ChangesSince> {
  const record = await readSlotRecord(store, of, signal);
  const verify = verifierOf(record);
  const all = await listSegments(store, of);
  // Those at the beginning may have been removed with the backups that needed them.
  const first = all[0]?.firstLsn ?? record.lsn;
  const isWhole = compareLsn(first, record.lsn) <= 0;
  const chain = followSegments(all, isWhole ? record.lsn : first);
  const seen = await countLeading(
    chain,
    async (range) => BigInt((await readDescription(store, of, range, signal)).next_xid) <= xmin,
  );
  const before = chain[seen - 1];
  // The last one that is in the base says so, and is kept.
  if (before) return { from: before.lastLsn, ranges: chain.slice(seen), past: chain.slice(0, seen - 1), verify };
  if (isWhole && BigInt(record.next_xid) <= xmin) return { from: record.lsn, ranges: chain, past: [], verify };
  throw new OperationError(
    'base_not_covered',
    'The stored changes do not begin before the full backup',
    'Restore from a full backup that was taken after point-in-time recovery was turned on, or alone.',
  );
}
