import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { commitTime, type DecodedLine, decoder } from '../../changes/decoding/decoder.ts';
import { qualifiedEnd, splitQualified } from '../../changes/decoding/names.ts';
import type { Verifier } from '../../changes/definitions/signature.ts';
import { readOwnMessage } from '../../changes/definitions/told.ts';
import { compareLsn, type Lsn } from '../../changes/lsn.ts';
import type { SegmentDescription } from '../../changes/segments/description.ts';
import { readSegment } from '../../changes/segments/stored-segments.ts';
import { fullTransactionId } from '../../changes/transaction-ids.ts';
import { type CommittedRename, renamesOf, type TableName } from './renames.ts';

export type RowChange = Exclude<DecodedLine, { kind: 'begin' | 'commit' | 'message' }>;

/** A change that was looked for, with its place in its transaction. */
export interface FoundChange {
  change: RowChange;
  /** As the line names it. */
  table: TableName;
}

/** A transaction with what was found in it, which has at least one change. */
export interface FoundTransaction {
  xid: bigint;
  lsn: Lsn;
  committedAt: string;
  found: FoundChange[];
  /** Changes that were found before those. */
  before: number;
  /** More that were found in it and are not kept. */
  more: number;
}

/** Reads the renames that a segment holds. */
export async function* readRenames(
  store: ObjectStore,
  segment: SegmentDescription,
  verify: Verifier,
  signal: AbortSignal,
): AsyncGenerator<CommittedRename> {
  const next = BigInt(segment.next_xid);
  let xid = 0n;
  let heard = new Set<string>();
  let renames: CommittedRename['rename'][] = [];
  for await (const lines of readSegment(store, segment, signal)) {
    for (const line of lines) {
      const at = line.indexOf('\t') + 1;
      if (line.startsWith('BEGIN ', at)) {
        xid = fullTransactionId(Number(line.slice(at + 6)), next);
        heard = new Set();
        renames = [];
      } else if (line.startsWith('message: ', at)) {
        const own = readOwnMessage(line.slice(at));
        const verdict = own?.transactional ? verify(own.content, { xid, heard }) : null;
        if (verdict?.kind === 'authentic') renames.push(...renamesOf(verdict.message));
      } else if (renames.length > 0 && line.startsWith('COMMIT ', at)) {
        const lsn = line.slice(0, at - 1);
        for (const rename of renames) yield { slot: segment.slot, lsn, xid, rename };
        renames = [];
      }
    }
  }
}

export interface ScanRequest {
  /** Whether a table is one that is looked for, in a transaction. */
  isWanted: (table: TableName, transaction: { xid: bigint }) => boolean;
  /** Whether a change is one; of a truncation it is not asked. */
  matches: (change: RowChange, table: TableName, transaction: { xid: bigint }) => boolean;
  /** Transactions whose commits end here or before are passed over. */
  after: Lsn;
  /** What is found in the first transaction that is not passed over is passed over as well, as far as this. */
  skip: number;
  /** Changes of one transaction that are kept. */
  mostKept: () => number;
  /** Told of each commit, after what was found in its transaction. @returns false to end the scan */
  onCommit: (transaction: FoundTransaction) => boolean;
}

/** Looks through the lines of a segment, decoding those alone that are of tables that are looked for. @returns false when it was ended */
export async function scanSegment(
  store: ObjectStore,
  segment: SegmentDescription,
  { isWanted, matches, after, skip, mostKept, onCommit }: ScanRequest,
  signal: AbortSignal,
): Promise<boolean> {
  const decode = decoder();
  const next = BigInt(segment.next_xid);
  const known = new Map<string, TableName>();
  let wanted = new Map<string, boolean>();
  let xid = 0n;
  let found: FoundChange[] = [];
  let count = 0;
  /** Of the transaction that is read, as its commit is not known yet: all that may be passed over is kept as well. */
  let passed = skip;
  const take = (raw: string, line: string, at: number): boolean => {
    let table = known.get(raw);
    if (!table) {
      table = splitQualified(raw);
      known.set(raw, table);
    }
    let isOne = wanted.get(raw);
    if (isOne === undefined) {
      isOne = isWanted(table, { xid });
      wanted.set(raw, isOne);
    }
    if (!isOne) return false;
    const change = decode(line, at) as RowChange;
    if (change.kind !== 'truncate' && !matches(change, table, { xid })) return false;
    count += 1;
    if (count > passed && found.length < mostKept()) found.push({ change, table });
    return true;
  };
  for await (const lines of readSegment(store, segment, signal)) {
    for (const line of lines) {
      const at = line.indexOf('\t') + 1;
      if (line.startsWith('table ', at)) {
        const start = at + 6;
        let end = qualifiedEnd(line, start);
        let isTaken = take(line.slice(start, end), line, at);
        // A truncation names all of its tables.
        while (!isTaken && line.startsWith(', ', end)) {
          const from = end + 2;
          end = qualifiedEnd(line, from);
          isTaken = take(line.slice(from, end), line, at);
        }
      } else if (line.startsWith('BEGIN ', at)) {
        xid = fullTransactionId(Number(line.slice(at + 6)), next);
        wanted = new Map();
        found = [];
        count = 0;
      } else if (line.startsWith('COMMIT ', at)) {
        const lsn = line.slice(0, at - 1);
        const committedAt = commitTime(line.slice(line.indexOf('(at ', at) + 4, -1));
        if (compareLsn(lsn, after) <= 0) continue;
        const before = Math.min(passed, count);
        passed = 0;
        const more = count - before - found.length;
        if (!onCommit({ xid, lsn, committedAt, found, before, more })) return false;
      }
    }
    signal.throwIfAborted();
  }
  return true;
}
