import type { ObjectStore } from '../backup/objects/object-store.ts';
import { qualifiedEnd } from '../changes/decoding/names.ts';
import { compareLsn, type Lsn } from '../changes/lsn.ts';
import type { SegmentDescription, TableChanges } from '../changes/segments/description.ts';
import { type ChangesOf, listSegments, readDescriptions, readSegment } from '../changes/segments/stored-segments.ts';
import { fullTransactionId, isSeen, type TransactionSnapshot } from '../changes/transaction-ids.ts';
import { followSegments } from '../changes/window/chain.ts';
import { coveredUntil } from '../changes/window/coverage.ts';

/** What a restore leaves out, as it comes later. */
export interface Since {
  of: ChangesOf;
  /** The last commit that is restored, or where the changes after the backup begin. */
  after: Lsn;
  /** Of the backup, when nothing is replayed on it: what it saw is not left out. */
  base: { snapshot: TransactionSnapshot; takenAt: string } | null;
}

type Counts = Pick<TableChanges, 'inserts' | 'updates' | 'deletes' | 'truncates'>;

export interface ChangedSince {
  /** Until when changes were counted, by the server's clock; null: none are stored after the moment. */
  until: string | null;
  /** Whether that is all that is stored; otherwise the time did not allow it. */
  isWhole: boolean;
  /** Those with the most changes first. */
  tables: ({ table: string } & Counts)[];
  /** Tables beyond those. */
  leftOut: number;
}

const MOST_TABLES = 200;

/**
 * Counts what was changed after a moment, by the descriptions of the segments; only the one that holds the moment is read. Holds one number for
 * each kind of change and table.
 *
 * @param deadline - by `performance.now()`; what was counted until then is answered
 */
export async function countChangesSince(
  { of, after, base }: Since,
  { store, signal, deadline }: { store: ObjectStore; signal: AbortSignal; deadline: number },
): Promise<ChangedSince> {
  const counts = new Map<string, Counts>();
  const all = await listSegments(store, of);
  const [first] = all;
  const later = first
    ? followSegments(all, first.firstLsn).filter(({ lastLsn }) => compareLsn(lastLsn, after) > 0)
    : [];
  let until: string | null = null;
  let isWhole = true;
  const timeIsOver = AbortSignal.timeout(Math.max(1, Math.ceil(deadline - performance.now())));
  try {
    for await (const description of readDescriptions(store, of, later, AbortSignal.any([signal, timeIsOver]))) {
      if (compareLsn(description.first_lsn, after) >= 0 && isAfterBase(description, base)) {
        for (const { table, ...found } of description.tables) add(counts, table, found);
      } else
        await countLines(description, { after, base }, counts, {
          store,
          signal: AbortSignal.any([signal, timeIsOver]),
        });
      until = coveredUntil(description);
      if (timeIsOver.aborted) isWhole = description.last_lsn === later.at(-1)?.lastLsn;
      if (!isWhole) break;
    }
  } catch (error) {
    if (signal.aborted || !timeIsOver.aborted) throw error;
    isWhole = false;
  }
  const tables = [...counts].map(([table, found]) => ({
    table: Buffer.from(table, 'latin1').toString('utf8'),
    ...found,
  }));
  tables.sort((a, b) => total(b) - total(a));
  return { until, isWhole, tables: tables.slice(0, MOST_TABLES), leftOut: Math.max(0, tables.length - MOST_TABLES) };
}

const total = ({ inserts, updates, deletes, truncates }: Counts): number => inserts + updates + deletes + truncates;

function isAfterBase({ first_commit_at: at }: SegmentDescription, base: Since['base']): boolean {
  return base === null || at === null || at > base.takenAt;
}

function add(counts: Map<string, Counts>, table: string, found: Counts): void {
  const known = counts.get(table) ?? { inserts: 0, updates: 0, deletes: 0, truncates: 0 };
  known.inserts += found.inserts;
  known.updates += found.updates;
  known.deletes += found.deletes;
  known.truncates += found.truncates;
  counts.set(table, known);
}

const KINDS = { I: 'inserts', U: 'updates', D: 'deletes', T: 'truncates' } as const;

async function countLines(
  segment: SegmentDescription,
  { after, base }: Pick<Since, 'after' | 'base'>,
  counts: Map<string, Counts>,
  { store, signal }: { store: ObjectStore; signal: AbortSignal },
): Promise<void> {
  const next = BigInt(segment.next_xid);
  let own = new Map<string, Counts>();
  let isLeftOut = false;
  for await (const lines of readSegment(store, segment, signal)) {
    for (const line of lines) {
      const at = line.indexOf('\t') + 1;
      if (line.startsWith('table ', at) && !isLeftOut) {
        const end = qualifiedEnd(line, at + 6);
        const isList = line[end] === ',';
        const kind = isList ? 'truncates' : KINDS[line[end + 2] as keyof typeof KINDS];
        const one = { inserts: 0, updates: 0, deletes: 0, truncates: 0 };
        one[kind] = 1;
        add(own, line.slice(at + 6, end), one);
      } else if (line.startsWith('BEGIN ', at)) {
        own = new Map();
        const xid = fullTransactionId(Number(line.slice(at + 6)), next);
        isLeftOut = base !== null && isSeen(base.snapshot, xid);
      } else if (line.startsWith('COMMIT ', at) && compareLsn(line.slice(0, at - 1), after) > 0) {
        for (const [table, found] of own) add(counts, table, found);
      }
    }
  }
}
