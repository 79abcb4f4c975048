import type { StoredObject } from '../../backup/objects/object-store.ts';
import type { Lsn } from '../lsn.ts';
import { laterLsn } from '../lsn.ts';
import type { SegmentRange } from '../segments/layout.ts';
import { lineScanner } from './line-scanner.ts';
import type { LineSource, LinesRequest } from './line-source.ts';
import type { SegmentSink } from './segment-sink.ts';
import { startTally, type Tally, type TallyOptions } from './tally.ts';

/** What is read, from where the first segment begins, and how it is cut. */
export interface ReadRequest extends LinesRequest {
  /** A segment ends with the first commit after this many bytes. */
  segmentBytes: number;
  /** Gives up when a segment needs more memory, as with one large transaction. */
  mostHeld: number;
}

/** Lines that are stored, and what they are. */
export interface StoredLines {
  range: SegmentRange;
  tally: Tally;
  bytes: number;
  /** null when there was no change in them. */
  object: StoredObject | null;
}

export interface ReadResult {
  segments: StoredLines[];
  /** Whether decoding came to `upto`. */
  reachedEnd: boolean;
  /** A transaction that was too large to be held: the commit before it in its segment, and its own. It is not stored. */
  tooLarge: { before: Lsn | null; end: Lsn } | null;
}

/** How much was read. */
export interface LinesRead {
  bytes: number;
  changes: number;
}

export interface ReadOptions {
  signal: AbortSignal;
  tally: TallyOptions;
  /** Told of lines as they are read; lines that are given up, to be read again, are taken off. */
  onRead?: ((read: LinesRead) => void) | undefined;
}

/**
 * Reads changes without moving the slot and stores them, cut into segments between transactions. The last segment ends at `upto`,
 * or with its last commit where decoding ended before; at a transaction that is too large it ends early.
 *
 * @param openSink - makes what takes a segment's lines
 * @throws the server's or the store's error; nothing is left open
 */
export async function readChanges(
  source: LineSource,
  { segmentBytes, mostHeld, ...request }: ReadRequest,
  openSink: () => SegmentSink,
  { signal, tally: tallying, onRead = () => undefined }: ReadOptions,
): Promise<ReadResult> {
  const { from: start, upto, mostLines } = request;
  const segments: StoredLines[] = [];
  const scan = lineScanner();
  let lines = 0;
  let first = start;
  let current = { sink: openSink(), ...startTally(tallying), bytes: 0 };
  let tooLarge: { before: Lsn | null; end: Lsn | null } | null = null;
  /** Of the segments that are stored. */
  const inSegments = { bytes: 0, changes: 0 };
  const told = { bytes: 0, changes: 0 };
  const tell = (open: LinesRead): void => {
    const read = {
      bytes: inSegments.bytes + open.bytes - told.bytes,
      changes: inSegments.changes + open.changes - told.changes,
    };
    told.bytes += read.bytes;
    told.changes += read.changes;
    onRead(read);
  };

  const feed = async (block: Buffer): Promise<void> => {
    if (block.length === 0) return;
    await current.sink.write(block);
    current.bytes += block.length;
  };
  const store = async (lastLsn: Lsn): Promise<void> => {
    const { sink, tally, bytes } = current;
    const range = { firstLsn: first, lastLsn };
    const object = tally.changes > 0 ? await sink.finish(range) : null;
    if (object === null) await sink.abort();
    segments.push({ range, tally, bytes, object });
    inSegments.bytes += bytes;
    inSegments.changes += tally.changes;
    first = lastLsn;
  };
  const consume = async (block: Buffer): Promise<void> => {
    if (tooLarge) {
      // The rest is taken off the connection, which is needed still, and tells where the transaction ends.
      const found = tooLarge;
      scan(block, (head) => {
        if (current.add(head)) found.end ??= current.tally.lastCommit;
      });
      return;
    }
    let from = 0;
    let begin = -current.bytes;
    let open: Pick<typeof current, 'tally' | 'add'> = current;
    const cuts: { at: number; lsn: Lsn; next: typeof open }[] = [];
    scan(block, (head, end) => {
      lines += 1;
      const { lastCommit } = open.add(head) ? open.tally : { lastCommit: null };
      if (lastCommit === null || end - begin < segmentBytes) return;
      open = startTally(tallying);
      begin = end;
      cuts.push({ at: end, lsn: lastCommit, next: open });
    });
    for (const { at, lsn, next } of cuts) {
      await feed(block.subarray(from, at));
      await store(lsn);
      current = { sink: openSink(), ...next, bytes: 0 };
      from = at;
    }
    await feed(block.subarray(from));
    if (current.sink.held <= mostHeld) {
      tell({ bytes: current.bytes, changes: current.tally.changes });
      return;
    }
    await current.sink.abort();
    tell({ bytes: 0, changes: 0 });
    tooLarge = { before: current.tally.lastCommit, end: null };
  };

  try {
    await source(request, consume, signal);
    const overflow = tooLarge as { before: Lsn | null; end: Lsn | null } | null;
    if (overflow) {
      if (overflow.end === null) throw new Error('A transaction was decoded without its commit');
      return { segments, reachedEnd: false, tooLarge: { before: overflow.before, end: overflow.end } };
    }
    const reachedEnd = mostLines === null || lines < mostLines;
    const { lastCommit } = current.tally;
    if (reachedEnd) await store(laterLsn(lastCommit ?? first, upto));
    else if (lastCommit !== null) await store(lastCommit);
    else await current.sink.abort();
    tell({ bytes: 0, changes: 0 });
    return { segments, reachedEnd, tooLarge: null };
  } catch (error) {
    await current.sink.abort();
    throw error;
  }
}
