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
  /** Bytes of its tables: the largest are begun first. */
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

/** @param isLoading - whether rows of a table are still to be loaded; without a number, of any */
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
  const byWeight = (a: ScheduledEntry, b: ScheduledEntry): number => a.weight - b.weight;
  /** What waits for no other entry, the largest last. */
  const ready = entries
    .filter((scheduled) => missing.get(scheduled) === 0)
    .reverse()
    .sort(byWeight);
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
        if (left === 0) insertSorted(ready, successor, byWeight);
      }
    },
    get remaining() {
      return remaining;
    },
  };
}
