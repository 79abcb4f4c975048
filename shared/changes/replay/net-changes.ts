import { UNCHANGED } from '../decoding/tuple.ts';

/** A row to be written. */
export interface NetRow {
  /** Its values as COPY text, with tabs between them: a text of its own, which keeps nothing of the block it was read with. */
  line: string;
  /** Where values are {@link UNCHANGED}: the key of the stored row that has them. */
  from: string | null;
}

interface NetState {
  /** Whether a row of this key is stored in the table before the changes. */
  stored: boolean;
  /** The row after the changes; null for none. */
  row: NetRow | null;
}

/** A line of COPY. In a value, a tab is written as an escape. */
export const lineOf = (values: readonly string[]): string => values.join('\t');

/** The values that {@link lineOf} joined; there is at least one. */
export const valuesOfLine = (line: string): string[] => line.split('\t');

/** The changes do not follow from the rows that are there: something was lost, or done twice. */
export class Diverged extends Error {}

/**
 * What many changes of one table come to, by key. Keys are told apart by their text: a row is always named by the very text that it was
 * last written with.
 *
 * Writing it is exact: first the stored rows of `stored` go, then `rows` come. What is in the table meanwhile is always a part of what
 * is in it in the end, so no unique key is ever in the way.
 */
export interface NetChanges {
  insert(key: string, values: string[]): void;
  update(oldKey: string, key: string, values: string[]): void;
  delete(key: string): void;
  /** Keys of stored rows that go, also those that come back changed. */
  stored(): string[];
  rows(): NetRow[];
  readonly size: number;
}

/** @throws Diverged (its functions) */
export function netChanges(): NetChanges {
  const states = new Map<string, NetState>();

  const take = (key: string): NetRow | null => {
    const state = states.get(key);
    if (!state) {
      states.set(key, { stored: true, row: null });
      return null;
    }
    const { row } = state;
    if (!row) throw new Diverged('A row is changed that is not there');
    if (state.stored) state.row = null;
    else states.delete(key);
    return row;
  };
  const put = (key: string, row: NetRow): void => {
    const state = states.get(key);
    if (!state) states.set(key, { stored: false, row });
    else if (state.row) throw new Diverged('A row is inserted that is there already');
    else state.row = row;
  };

  return {
    insert: (key, values) => put(key, { line: lineOf(values), from: null }),
    update(oldKey, key, values) {
      const before = take(oldKey);
      const isPartial = values.includes(UNCHANGED);
      if (isPartial && before) {
        const stored = valuesOfLine(before.line);
        for (let index = 0; index < values.length; index += 1) {
          if (values[index] === UNCHANGED) values[index] = stored[index] ?? UNCHANGED;
        }
      }
      const from = !isPartial ? null : before ? (values.includes(UNCHANGED) ? before.from : null) : oldKey;
      put(key, { line: lineOf(values), from });
    },
    delete: (key) => void take(key),
    stored() {
      const keys: string[] = [];
      for (const [key, { stored }] of states) if (stored) keys.push(key);
      return keys;
    },
    rows() {
      const rows: NetRow[] = [];
      for (const { row } of states.values()) if (row) rows.push(row);
      return rows;
    },
    get size() {
      return states.size;
    },
  };
}

/** What many changes come to in a table whose rows have no key, each being named by all of its values: how many more or fewer. */
export interface NetCounts {
  add(row: string): void;
  remove(row: string): void;
  /** Rows with how many more of them there are, below zero for fewer. */
  counts(): [row: string, count: number][];
  readonly size: number;
}

export function netCounts(): NetCounts {
  const counts = new Map<string, number>();
  const change = (row: string, by: number): void => {
    const count = (counts.get(row) ?? 0) + by;
    if (count === 0) counts.delete(row);
    else counts.set(row, count);
  };
  return {
    add: (row) => change(row, 1),
    remove: (row) => change(row, -1),
    counts: () => [...counts],
    get size() {
      return counts.size;
    },
  };
}
