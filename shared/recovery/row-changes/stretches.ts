import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { compareLsn, type Lsn } from '../../changes/lsn.ts';
import type { SegmentDescription, SlotRecord } from '../../changes/segments/description.ts';
import type { SegmentRange } from '../../changes/segments/layout.ts';
import {
  type ChangesOf,
  listSegments,
  listSlots,
  readDescription,
  readDescriptions,
  readSlotRecord,
} from '../../changes/segments/stored-segments.ts';
import { countLeading, followSegments } from '../../changes/window/chain.ts';
import { coveredUntil } from '../../changes/window/coverage.ts';
import { listEndedWindows } from '../../state/ended-windows.ts';
import { readRecovery } from '../../state/recovery.ts';
import type { StateTable } from '../../state/table.ts';

/** What is stored of one slot between two times. */
export interface Stretch {
  of: ChangesOf;
  record: SlotRecord;
  /** From the first that may hold a commit at the beginning or later. */
  ranges: SegmentRange[];
  /** Times by the server's clock between which all that was committed is in the ranges. */
  from: string;
  to: string;
}

/** Slots that are looked at, the latest. */
const MOST_SLOTS = 10;

/** Lists what is stored since a time, oldest first. */
export async function listStretches(
  database: string,
  since: string,
  { store, table, signal }: { store: ObjectStore; table: StateTable; signal: AbortSignal },
): Promise<Stretch[]> {
  const [slots, recovery, ended] = await Promise.all([
    listSlots(store, database),
    readRecovery(table, database),
    listEndedWindows(table, database),
  ]);
  const found = await Promise.all(
    slots.slice(-MOST_SLOTS).map(async (slot): Promise<Stretch | null> => {
      const of = { database, slot };
      const record = await readSlotRecord(store, of, signal);
      const all = await listSegments(store, of);
      const first = all[0];
      const start = first && compareLsn(first.firstLsn, record.lsn) > 0 ? first.firstLsn : record.lsn;
      const chain = followSegments(all, start);
      const describe = (range: SegmentRange): Promise<SegmentDescription> => readDescription(store, of, range, signal);
      const passed = await countLeading(chain, async (range) => endOf(await describe(range)) < since);
      const last = chain.at(-1);
      const known = recovery?.slot === slot ? recovery.covered : ended.find((each) => each.slot === slot)?.covered;
      const until = [last ? coveredUntil(await describe(last)) : '', known?.time ?? ''].sort().at(-1) ?? '';
      if (until < since) return null;
      const before = chain[passed - 1];
      // What was removed with the backups that needed it is not there.
      const from =
        before || start !== record.lsn
          ? before
            ? coveredUntil(await describe(before))
            : await beginningOf(chain, describe)
          : record.created_at;
      return { of, record, ranges: chain.slice(passed), from, to: until };
    }),
  );
  return found.filter((stretch) => stretch !== null);
}

/** No commit of a segment has a later time; it may have some after it was looked up how far the log is. */
const endOf = ({ captured_at: at, last_commit_at: last }: SegmentDescription): string =>
  last !== null && last > at ? last : at;

async function beginningOf(
  chain: readonly SegmentRange[],
  describe: (range: SegmentRange) => Promise<SegmentDescription>,
): Promise<string> {
  const [first] = chain;
  if (!first) return '';
  const { first_commit_at: at, captured_at } = await describe(first);
  return at ?? captured_at;
}

/** Descriptions of a stretch, from a position on. */
export async function* describeStretch(
  store: ObjectStore,
  { of, ranges }: Stretch,
  after: Lsn | null,
  signal: AbortSignal,
): AsyncGenerator<SegmentDescription> {
  const left = after === null ? ranges : ranges.filter(({ lastLsn }) => compareLsn(lastLsn, after) > 0);
  yield* readDescriptions(store, of, left, signal);
}

/** A time of which nothing is known, and why. */
export interface NotLookedAt {
  from: string;
  to: string;
  reason: string;
}

/** Times between two that no stretch holds. */
export function gapsBetween(stretches: readonly Stretch[], from: string, to: string): NotLookedAt[] {
  const gaps: NotLookedAt[] = [];
  let position = from;
  const reason =
    'No changes are stored of this time: they were not captured, or went with the backups that needed them';
  for (const stretch of stretches) {
    if (stretch.from > to) break;
    if (stretch.from > position) gaps.push({ from: position, to: stretch.from, reason });
    if (stretch.to > position) position = stretch.to;
  }
  if (position < to)
    gaps.push({ from: position, to, reason: `${reason}; or the next run of the capture will store them` });
  return gaps;
}
