import { unescapeCopyText } from '../../changes/decoding/copy-text.ts';
import { NULL, type Tuple, UNCHANGED } from '../../changes/decoding/tuple.ts';
import type { RowChange } from './scan.ts';

/** Longer values are cut. */
const MOST_CHARACTERS = 2000;

/** A row, or a part of one, as it is shown. Texts hold a character for each byte still. */
export interface ShownRow {
  values: Map<string, string | null>;
  /** Columns whose large values an update left as they were: they are not in the log. */
  unchanged: string[];
  cut: string[];
  masked: string[];
}

export interface ShownChange {
  operation: 'insert' | 'update' | 'delete' | 'truncate';
  before: ShownRow | null;
  after: ShownRow | null;
}

/** @param isMasked - whether the values of a column, as it was called then, are not to be shown */
export function showChange(change: RowChange, isMasked: (column: string) => boolean): ShownChange {
  const show = (tuple: Tuple | null): ShownRow | null => tuple && showRow(tuple, isMasked);
  switch (change.kind) {
    case 'insert':
      return { operation: 'insert', before: null, after: show(change.row) };
    case 'update':
      return { operation: 'update', before: show(change.old), after: show(change.row) };
    case 'delete':
      return { operation: 'delete', before: show(change.old), after: null };
    case 'truncate':
      return { operation: 'truncate', before: null, after: null };
  }
}

function showRow({ columns, values }: Tuple, isMasked: (column: string) => boolean): ShownRow {
  const shown: ShownRow = { values: new Map(), unchanged: [], cut: [], masked: [] };
  for (const [index, column] of columns.entries()) {
    const value = values[index] ?? NULL;
    if (isMasked(column)) shown.masked.push(column);
    else if (value === UNCHANGED) shown.unchanged.push(column);
    else if (value === NULL) shown.values.set(column, null);
    else {
      const text = unescapeCopyText(value);
      if (text.length > MOST_CHARACTERS) shown.cut.push(column);
      shown.values.set(column, text.slice(0, MOST_CHARACTERS));
    }
  }
  return shown;
}

/** Every text that a change is shown with. */
export function* textsIn({ before, after }: ShownChange): Generator<string> {
  for (const row of [before, after]) {
    if (!row) continue;
    for (const [column, value] of row.values) {
      yield column;
      if (value !== null) yield value;
    }
    yield* row.unchanged;
    yield* row.masked;
  }
}

export interface WrittenRow {
  values: Record<string, string | null>;
  unchanged: string[];
  cut: string[];
  masked: string[];
}

/** @param text - what a text with a character for each byte says */
export function writeRow(row: ShownRow | null, text: (bytes: string) => string): WrittenRow | null {
  if (!row) return null;
  return {
    values: Object.fromEntries(
      [...row.values].map(([column, value]) => [text(column), value === null ? null : text(value)]),
    ),
    unchanged: row.unchanged.map(text),
    cut: row.cut.map(text),
    masked: row.masked.map(text),
  };
}
