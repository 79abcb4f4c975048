import { unescapeCopyText } from '../../changes/decoding/copy-text.ts';
import { splitQualified } from '../../changes/decoding/names.ts';
import type { Tuple } from '../../changes/decoding/tuple.ts';
import { compareLsn, type Lsn } from '../../changes/lsn.ts';
import { columnAt, type FollowedTable, type TableName } from './renames.ts';
import type { RowChange } from './scan.ts';

const same = (a: TableName, b: TableName): boolean => a.schema === b.schema && a.name === b.name;

/** Most keys that a row is followed under, as many as a cursor holds. */
const MOST_KEYS = 20;

export interface RowMatcher {
  /** Begins with what follows a position of a slot's changes. */
  startAt(slot: string, after: Lsn | null): void;
  /** Whether a table, named as a description names it, may be the one in a transaction without changes of definitions. */
  mayBe(raw: string): boolean;
  isWanted(table: TableName, transaction: { xid: bigint }): boolean;
  matches(change: RowChange): boolean;
  /** To be told of every commit: what it has renamed has its new name from then on. */
  committed(xid: bigint): void;
  /** The next rename that is not committed. */
  readonly state: number;
  /** All that the row has had, also as its key was changed. */
  readonly keys: readonly (readonly string[])[];
  /** Changes that do not tell which row they are of. */
  readonly untold: number;
}

/**
 * Tells the changes of a row, or of all rows of a table, through its renames.
 *
 * @param partitions - whose rows are the table's as well
 * @param key - the columns, as they are called at the end, and keys to begin with; null: every row
 */
export function rowMatcher(
  followed: FollowedTable,
  partitions: readonly TableName[],
  key: { columns: readonly string[]; keys: readonly (readonly string[])[] } | null,
): RowMatcher {
  const { events, states } = followed;
  const keys = (key?.keys ?? []).map((values) => [...values]);
  let state = 0;
  let untold = 0;
  let last = 0;

  const statesIn = (xid: bigint): number => {
    let end = state;
    while (events[end]?.xid === xid) end += 1;
    return end;
  };
  const keyIn = ({ columns, values }: Tuple): string[] | null => {
    // In the transaction of a rename a row may have the old name and the new one.
    for (let index = state; index <= last; index += 1) {
      const places = (key?.columns ?? []).map((column) => columns.indexOf(columnAt(followed, column, index)));
      if (!places.includes(-1)) return places.map((place) => values[place] ?? '');
    }
    return null;
  };
  const isOne = (found: readonly string[]): boolean =>
    keys.some((values) => values.every((value, index) => unescapeCopyText(found[index] ?? '') === value));

  return {
    startAt(slot, after) {
      state = events.filter(
        (event) => event.slot < slot || (event.slot === slot && after !== null && compareLsn(event.lsn, after) <= 0),
      ).length;
      last = state;
    },
    mayBe(raw) {
      const table = splitQualified(raw);
      const name = states[state];
      return (name !== undefined && same(name, table)) || partitions.some((each) => same(each, table));
    },
    isWanted(table, { xid }) {
      last = statesIn(xid);
      return (
        states.slice(state, last + 1).some((name) => same(name, table)) || partitions.some((name) => same(name, table))
      );
    },
    matches(change) {
      if (key === null || change.kind === 'truncate') return true;
      if (change.kind === 'insert') return isKnown(change.row);
      const old = change.kind === 'delete' ? change.old : (change.old ?? change.row);
      if (old === null) {
        untold += 1;
        return false;
      }
      const wasOne = isKnown(old);
      if (change.kind === 'delete') return wasOne;
      const now = keyIn(change.row);
      if (now === null) return wasOne;
      if (!wasOne) return isOne(now);
      if (!isOne(now) && keys.length < MOST_KEYS) keys.push(now.map((value) => unescapeCopyText(value)));
      return true;
    },
    committed(xid) {
      while (events[state]?.xid === xid) state += 1;
      last = state;
    },
    get state() {
      return state;
    },
    get keys() {
      return keys;
    },
    get untold() {
      return untold;
    },
  };

  function isKnown(tuple: Tuple): boolean {
    const found = keyIn(tuple);
    if (found === null) {
      untold += 1;
      return false;
    }
    return isOne(found);
  }
}
