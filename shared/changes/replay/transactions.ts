import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { commitTime, type DecodedLine, decoder } from '../decoding/decoder.ts';
import { compareLsn, type Lsn } from '../lsn.ts';
import type { SegmentDescription } from '../segments/description.ts';
import { readSegment } from '../segments/stored-segments.ts';
import { fullTransactionId } from '../transaction-ids.ts';

/** A change, or the end of the transaction that the changes before it belong to. */
export type ReplayItem =
  | Exclude<DecodedLine, { kind: 'begin' | 'commit' | 'message' }>
  /** With its transaction, where it is of one, and what is known of beginnings; see `SegmentDescription`. */
  | (Extract<DecodedLine, { kind: 'message' }> & { xid: bigint; begun: SegmentDescription['begun'] })
  | { kind: 'commit'; lsn: Lsn; xid: bigint; committedAt: string };

export interface CommittedTransaction {
  xid: bigint;
  /** End of the commit. */
  lsn: Lsn;
  /** ISO 8601 in UTC, with microseconds. */
  committedAt: string;
}

/** Lists the transactions of a segment in commit order, without their changes. */
export async function* readCommits(
  store: ObjectStore,
  segment: SegmentDescription,
  signal: AbortSignal,
): AsyncGenerator<CommittedTransaction> {
  const next = BigInt(segment.next_xid);
  const decode = decoder();
  for await (const lines of readSegment(store, segment, signal)) {
    for (const line of lines) {
      const tab = line.indexOf('\t');
      if (!line.startsWith('COMMIT ', tab + 1)) continue;
      const commit = decode(line, tab + 1);
      if (commit.kind !== 'commit') continue;
      const { xid, committedAt } = commit;
      yield { xid: fullTransactionId(xid, next), lsn: line.slice(0, tab), committedAt: commitTime(committedAt) };
    }
  }
}

export interface TransactionsRequest {
  /** Each begins where the one before ends, or before that. */
  segments: readonly SegmentDescription[];
  /** Transactions whose commit ends here or before are passed over. */
  after: Lsn;
  /** The last one of all; null for none at all. */
  lastCommit: Lsn | null;
  /** Whether a transaction is passed over. */
  isSeen: (xid: bigint) => boolean;
}

/**
 * Streams what transactions did, in commit order, in groups of items as they are read.
 *
 * @throws Error where a line is not understood, with its position and never with its content
 */
export async function* readTransactions(
  store: ObjectStore,
  { segments, after, lastCommit, isSeen }: TransactionsRequest,
  signal: AbortSignal,
): AsyncGenerator<ReplayItem[]> {
  if (lastCommit === null) return;
  const decode = decoder();
  let position = after;
  for (const segment of segments) {
    if (compareLsn(position, lastCommit) >= 0) return;
    if (compareLsn(segment.last_lsn, position) <= 0) continue;
    let passed = compareLsn(segment.first_lsn, position) < 0 ? await countUntil(store, segment, position, signal) : 0;
    const next = BigInt(segment.next_xid);
    let xid = 0n;
    let skipped = false;
    for await (const lines of readSegment(store, segment, signal)) {
      const items: ReplayItem[] = [];
      for (const line of lines) {
        const tab = line.indexOf('\t');
        const isEnd = line[tab + 1] === 'C';
        if (skipped && !isEnd) continue;
        const decoded = decodeAt(decode, line, tab);
        if (decoded.kind === 'begin') {
          xid = fullTransactionId(decoded.xid, next);
          skipped = passed > 0 || isSeen(xid);
        } else if (decoded.kind === 'commit') {
          const lsn = line.slice(0, tab);
          if (passed > 0) passed -= 1;
          if (!skipped) items.push({ kind: 'commit', lsn, xid, committedAt: commitTime(decoded.committedAt) });
          skipped = false;
          if (compareLsn(lsn, lastCommit) >= 0) {
            yield items;
            return;
          }
        } else items.push(decoded.kind === 'message' ? { ...decoded, xid, begun: segment.begun } : decoded);
      }
      if (items.length > 0) yield items;
    }
    position = segment.last_lsn;
  }
}

/** Transactions at the beginning of a segment that an earlier one holds as well. */
async function countUntil(
  store: ObjectStore,
  segment: SegmentDescription,
  position: Lsn,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  for await (const { lsn } of readCommits(store, segment, signal)) {
    if (compareLsn(lsn, position) > 0) break;
    count += 1;
  }
  return count;
}

function decodeAt(decode: ReturnType<typeof decoder>, line: string, tab: number): DecodedLine {
  try {
    return decode(line, tab + 1);
  } catch (error) {
    throw new Error(`The change at ${line.slice(0, tab)} is not understood: ${(error as Error).message}`);
  }
}
