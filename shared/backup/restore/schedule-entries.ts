import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import { insertSorted } from './insert-sorted.ts';

/** A post-data entry with what must come before it and what it locks. */
export interface ScheduledEntry {
  entry: SchemaEntry;
  /** Numbers of post-data entries that must be done first. */
  after: Set<number>;
  /** Numbers of the tables it touches. */
  tables: Set<number>;
  /** Numbers of the tables whose rows must be loaded first; null: those of all. */
  rowsOf: ReadonlySet<number> | null;
  /** Whether it may run beside another entry on the same table; building an index may. */
  shared: boolean;
  /** Bytes of its tables, as a measure of how long it takes. */
  weight: number;
}

/** They look at the rows of the tables that pg_dump names, and at no others: those can still be loaded. */
const OF_OWN_ROWS = new Set(['INDEX', 'CONSTRAINT', 'FK CONSTRAINT']);

/** A right taken from an owner could stop the check of a foreign key: privileges wait for everything but the next group. */
const PRIVILEGE_TYPES = new Set(['ACL', 'DEFAULT ACL']);
/** Event triggers would fire for the restore's own statements: they, and what depends on them, come last of all. */
const LAST_TYPES = new Set(['EVENT TRIGGER']);

export interface EntrySchedule {
  parallel: ScheduledEntry[];
  /** In order, after `parallel`. */
  privileges: SchemaEntry[];
  /** In order, when the restore sends no other statement any more. */
  last: SchemaEntry[];
}

/**
 * Arranges post-data entries (indexes, keys, triggers, policies, ...) for parallel work, by pg_dump's own dependencies.
 *
 * @param tableBytes - bytes of a table by its OID in the source; undefined for what has no rows of its own, such as a
 * partitioned table, whose keys are checked in its partitions
 */
export function scheduleEntries(
  preData: readonly SchemaEntry[],
  postData: readonly SchemaEntry[],
  tableBytes: (oid: number) => number | undefined,
): EntrySchedule {
  const tables = new Map(preData.filter(({ type }) => type === 'TABLE').map((entry) => [entry.dump_id, entry]));
  const postIds = new Set(postData.map(({ dump_id }) => dump_id));
  const lastIds = new Set<number>();
  const last: SchemaEntry[] = [];
  const parallel: ScheduledEntry[] = [];
  const privileges: SchemaEntry[] = [];
  for (const entry of postData) {
    if (LAST_TYPES.has(entry.type) || entry.depends_on.some((id) => lastIds.has(id))) {
      lastIds.add(entry.dump_id);
      last.push(entry);
      continue;
    }
    if (PRIVILEGE_TYPES.has(entry.type)) {
      privileges.push(entry);
      continue;
    }
    const touched = entry.depends_on.flatMap((id) => tables.get(id) ?? []);
    const touchedIds = new Set(touched.map(({ dump_id }) => dump_id));
    const ownRows = touched.length > 0 && touched.every(({ oid }) => tableBytes(oid) !== undefined);
    parallel.push({
      entry,
      after: new Set(entry.depends_on.filter((id) => postIds.has(id))),
      tables: touchedIds,
      rowsOf: OF_OWN_ROWS.has(entry.type) && ownRows ? touchedIds : null,
      shared: entry.type === 'INDEX',
      weight: touched.reduce((sum, { oid }) => sum + (tableBytes(oid) ?? 0), 0),
    });
  }
  return { parallel, privileges, last };
}

/** Hands out entries whose predecessors are done, whose rows are loaded and whose tables nobody else holds. */
export interface EntryQueue {
  /** The next entry to begin; undefined when none can begin now. */
  take(): ScheduledEntry | undefined;
  done(scheduled: ScheduledEntry): void;
  readonly remaining: number;
}

/**
 * Of what can begin, that comes first from which the longest way leads to the end: its own weight and those of what waits for it
 * (critical-path scheduling; Graham, 1969). A large foreign key would otherwise be left for last, and be checked alone.
 *
 * @param isLoading - whether rows of a table are still to be loaded; without a number, of any
 */
export function entryQueue(
  entries: readonly ScheduledEntry[],
  isLoading: (table?: number) => boolean = () => false,
): EntryQueue {
  const running = new Set<ScheduledEntry>();
  const ids = new Set(entries.map(({ entry }) => entry.dump_id));
  /** How many of its predecessors each entry waits for, and who waits for whom. */
  const missing = new Map<ScheduledEntry, number>();
  const successors = new Map<number, ScheduledEntry[]>();
  for (const scheduled of entries) {
    const before = [...scheduled.after].filter((id) => ids.has(id));
    missing.set(scheduled, before.length);
    for (const id of before) {
      const known = successors.get(id);
      if (known) known.push(scheduled);
      else successors.set(id, [scheduled]);
    }
  }
  const ways = waysToTheEnd(missing, successors);
  const byWay = (a: ScheduledEntry, b: ScheduledEntry): number => (ways.get(a) ?? 0) - (ways.get(b) ?? 0);
  /** What waits for no other entry, the longest way last. */
  const ready = entries
    .filter((scheduled) => missing.get(scheduled) === 0)
    .reverse()
    .sort(byWay);
  let remaining = entries.length;

  const conflicts = (candidate: ScheduledEntry): boolean => {
    for (const other of running) {
      if (candidate.shared && other.shared) continue;
      for (const table of candidate.tables) if (other.tables.has(table)) return true;
    }
    return false;
  };

  const isLoaded = ({ rowsOf }: ScheduledEntry): boolean => {
    if (rowsOf === null) return !isLoading();
    for (const table of rowsOf) if (isLoading(table)) return false;
    return true;
  };

  return {
    take() {
      const index = ready.findLastIndex((candidate) => isLoaded(candidate) && !conflicts(candidate));
      const [taken] = index < 0 ? [] : ready.splice(index, 1);
      if (taken) running.add(taken);
      return taken;
    },
    done(scheduled) {
      if (!running.delete(scheduled)) return;
      remaining -= 1;
      for (const successor of successors.get(scheduled.entry.dump_id) ?? []) {
        const left = (missing.get(successor) ?? 0) - 1;
        missing.set(successor, left);
        if (left === 0) insertSorted(ready, successor, byWay);
      }
    },
    get remaining() {
      return remaining;
    },
  };
}

/** Of each entry, its weight and the greatest sum of weights of entries that wait for each other after it. */
function waysToTheEnd(
  missing: ReadonlyMap<ScheduledEntry, number>,
  successors: ReadonlyMap<number, readonly ScheduledEntry[]>,
): Map<ScheduledEntry, number> {
  const following = ({ entry }: ScheduledEntry): readonly ScheduledEntry[] => successors.get(entry.dump_id) ?? [];
  const left = new Map(missing);
  const inOrder = [...left.keys()].filter((scheduled) => left.get(scheduled) === 0);
  // Grows while it is gone through.
  for (const scheduled of inOrder) {
    for (const successor of following(scheduled)) {
      const still = (left.get(successor) ?? 0) - 1;
      left.set(successor, still);
      if (still === 0) inOrder.push(successor);
    }
  }
  const ways = new Map<ScheduledEntry, number>();
  for (const scheduled of inOrder.reverse()) {
    const after = following(scheduled).map((successor) => ways.get(successor) ?? 0);
    ways.set(scheduled, scheduled.weight + after.reduce((most, way) => Math.max(most, way), 0));
  }
  return ways;
}
