import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { OperationError } from '../../errors.ts';
import type { Verifier } from '../definitions/signature.ts';
import { compareLsn, type Lsn } from '../lsn.ts';
import { type CommittedTransaction, readCommits } from '../replay/transactions.ts';
import type { Definer, DefinitionChange, SegmentDescription } from '../segments/description.ts';
import { type ChangesOf, readDescriptions } from '../segments/stored-segments.ts';
import { isSeen, parseSnapshot, type TransactionSnapshot } from '../transaction-ids.ts';
import { type Covered, coveredUntil, isReached, latestMoment, type Stored, storedAfter } from './coverage.ts';
import { findBeginning } from './find-beginning.ts';
import { type RecoveryTarget, toMicroseconds } from './recovery-target.ts';

/** What a base backup's manifest says of its snapshot. */
export interface BaseSnapshot {
  /** ISO 8601 in UTC with microseconds, by the server's clock. */
  taken_at: string;
  transactions: string;
}

/** What a replay is given; see `ReplayRequest`. */
export interface PlannedReplay {
  segments: SegmentDescription[];
  from: Lsn;
  snapshot: TransactionSnapshot;
  lastCommit: Lsn | null;
  /** Judges the messages of the segments. A function, so that the key is in nothing that is stored or logged. */
  verify: Verifier;
  /** Who ran the commands that are repeated, with their rights at that time. */
  definers: Definer[];
  /** The last transaction's time; null when the base alone is restored. */
  committedAt: string | null;
}

/**
 * Finds what is to be replayed on a base: the segments from the first transaction that it did not see, and the last commit.
 *
 * @param more.covered - what the last run of the capture has found beyond the last segment
 * @param more.settledMs - how long after its commit a transaction may still be missing in the changes; by default a second
 * @throws OperationError `base_not_covered` when the slot's changes do not begin before the base, or have a gap after it;
 *   `target_before_base`; `window_ends` at a change of definitions that cannot be repeated; `target_not_covered` when the target is beyond what is stored
 */
export async function planReplay(
  store: ObjectStore,
  of: ChangesOf,
  base: BaseSnapshot,
  target: RecoveryTarget,
  signal: AbortSignal,
  { covered = null, settledMs }: { covered?: Covered | null; settledMs?: number } = {},
): Promise<PlannedReplay> {
  const snapshot = parseSnapshot(base.transactions);
  if ('time' in target && toMicroseconds(target.time) < toMicroseconds(base.taken_at)) throw beforeBase();
  if ('transaction' in target && isSeen(snapshot, target.transaction)) throw beforeBase();
  const { from, ranges, verify } = await findBeginning(store, of, snapshot, signal);
  // All before it is in the base.
  if ('lsn' in target && compareLsn(target.lsn, from) < 0) throw beforeBase();
  const segments: SegmentDescription[] = [];
  let knowsBase = false;
  let lastCommit: CommittedTransaction | null = null;
  let stopped = false;
  let last: SegmentDescription | undefined;
  /** The first that is left out. */
  let leftOut: CommittedTransaction | null = null;
  for await (const description of readDescriptions(store, of, ranges, signal)) {
    last = description;
    if (!stopped) {
      segments.push(description);
      if (mayHoldStop(description, target)) {
        for await (const commit of readCommits(store, description, signal)) {
          if (stopped) assertUnseen(snapshot, commit);
          else if (isBeyond(commit, target)) {
            stopped = true;
            leftOut = commit;
            assertUnseen(snapshot, commit);
          } else {
            lastCommit = commit;
            // Nothing later can be the transaction that was asked for.
            stopped = 'transaction' in target && commit.xid === target.transaction;
          }
        }
      } else if (description.object) lastCommit = { ...description, ...lastOf(description) };
    } else {
      for await (const commit of readCommits(store, description, signal)) assertUnseen(snapshot, commit);
    }
    // The base saw nothing that committed later.
    knowsBase = coveredUntil(description, settledMs) >= toMicroseconds(base.taken_at);
    if (stopped && knowsBase) break;
  }
  const isTheBase = 'time' in target && toMicroseconds(target.time) === toMicroseconds(base.taken_at);
  const stored = storedAfter(from, last, covered, settledMs);
  knowsBase ||= stored.time !== null && stored.time >= toMicroseconds(base.taken_at);
  if (stopped ? !(isTheBase || knowsBase) : !isReached(base, stored, target)) throw notCovered(base, stored);
  const applies = lastCommit !== null;
  if (applies || !isTheBase) assertRepeatable(segments, snapshot, { target, lastCommit, leftOut });
  return {
    segments,
    from,
    snapshot,
    verify,
    definers: applies ? definersOf(segments, snapshot, lastCommit as CommittedTransaction) : [],
    lastCommit: applies ? (lastCommit as CommittedTransaction).lsn : null,
    committedAt: applies ? (lastCommit as CommittedTransaction).committedAt : null,
  };
}

/** Who ran the commands that a replay repeats; a role for each of the rights that it had in turn. */
function definersOf(
  segments: readonly SegmentDescription[],
  snapshot: TransactionSnapshot,
  { lsn: last }: CommittedTransaction,
): Definer[] {
  const found = new Map<string, Definer>();
  for (const { definition_changes: changes } of segments) {
    for (const { definer, lsn, xid } of changes) {
      if (!definer || compareLsn(lsn, last) > 0 || isSeen(snapshot, BigInt(xid))) continue;
      found.set(JSON.stringify(definer), definer);
    }
  }
  return [...found.values()];
}

/** How far a replay would go. */
interface Reach {
  target: RecoveryTarget;
  lastCommit: CommittedTransaction | null;
  leftOut: CommittedTransaction | null;
}

/** Whether a replay would be behind a change of definitions. One that is no commit itself may be passed without repeating anything. */
function isPassed({ lsn, committed_at: at, tag }: DefinitionChange, { target, lastCommit, leftOut }: Reach): boolean {
  if (lastCommit && compareLsn(lsn, lastCommit.lsn) <= 0) return true;
  if (tag !== null) return false;
  if ('time' in target) return toMicroseconds(target.time) > at;
  return compareLsn(lsn, 'lsn' in target ? target.lsn : (leftOut?.lsn ?? '0/0')) <= 0;
}

/** Says before a restore begins that the window ends before the moment, as far as it is known. */
function assertRepeatable(segments: readonly SegmentDescription[], snapshot: TransactionSnapshot, reach: Reach): void {
  for (const { definition_changes: changes } of segments) {
    for (const change of changes) {
      const { obstacle, xid, lsn, committed_at: at } = change;
      if (obstacle === null || isSeen(snapshot, BigInt(xid)) || !isPassed(change, reach)) continue;
      throw new OperationError(
        'window_ends',
        `The window of this full backup ends at ${at} (${lsn}): ${obstacle}`,
        'Restore to a moment before it, or to one after the next full backup.',
      );
    }
  }
}

const lastOf = (segment: SegmentDescription): Pick<CommittedTransaction, 'lsn' | 'xid' | 'committedAt'> => ({
  lsn: segment.last_lsn,
  xid: 0n,
  committedAt: segment.last_commit_at ?? '',
});

/** Whether some transaction of the segment may be the first that is left out. */
function mayHoldStop(segment: SegmentDescription, target: RecoveryTarget): boolean {
  if ('time' in target) return segment.last_commit_at !== null && isAfter(segment.last_commit_at, target);
  if ('lsn' in target) return compareLsn(segment.last_lsn, target.lsn) >= 0;
  return BigInt(segment.next_xid) > target.transaction;
}

function isAfter(committedAt: string, { time, inclusive = true }: { time: string; inclusive?: boolean }): boolean {
  const limit = toMicroseconds(time);
  return inclusive ? committedAt > limit : committedAt >= limit;
}

function isBeyond({ lsn, xid, committedAt }: CommittedTransaction, target: RecoveryTarget): boolean {
  const { inclusive = true } = target;
  if ('time' in target) return isAfter(committedAt, target);
  if ('lsn' in target) return compareLsn(lsn, target.lsn) >= (inclusive ? 1 : 0);
  return !inclusive && xid === target.transaction;
}

function assertUnseen(snapshot: TransactionSnapshot, { xid }: CommittedTransaction): void {
  if (isSeen(snapshot, xid)) throw beforeBase();
}

function beforeBase(): OperationError {
  return new OperationError(
    'target_before_base',
    'The full backup has changes that were made after the moment to restore to',
    'Restore from an earlier full backup.',
  );
}

function notCovered(base: BaseSnapshot, stored: Stored): OperationError {
  const { time, lsn } = latestMoment(base, stored);
  return new OperationError(
    'target_not_covered',
    `Changes are stored until ${time}${lsn === null ? '' : ` (${lsn})`}; what is asked for is not among them`,
    'Ask for an earlier moment, or again when the changes have been captured.',
  );
}
