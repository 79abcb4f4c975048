import { OperationError } from '../../errors.ts';
import type { DecodedLine } from '../decoding/decoder.ts';
import { NULL, type Tuple, UNCHANGED } from '../decoding/tuple.ts';
import { lineOf, type NetChanges, type NetCounts, netChanges, netCounts } from './net-changes.ts';
import { definitionsDiffer, type ReplayTable } from './tables.ts';

type RowChange = Extract<DecodedLine, { kind: 'insert' | 'update' | 'delete' }>;

/** Changes of one table that wait to be written together. */
export interface TableChanges {
  table: ReplayTable;
  add(change: RowChange): void;
  /** By the table: rows found by a key, rows found by all their values, or rows that are only ever inserted. */
  pending:
    | { kind: 'keyed'; net: NetChanges }
    | { kind: 'counted'; net: NetCounts }
    | { kind: 'inserted'; lines: string[] };
}

/** @throws OperationError (its `add`) `no_replica_identity`, `definitions_differ`; Diverged */
export function tableChanges(table: ReplayTable): TableChanges {
  if (table.key.length > 0) return keyedChanges(table);
  return table.full ? countedChanges(table) : insertedRows(table);
}

/** The values that are written, in the order of the table's columns. */
function valuesOf(table: ReplayTable, { columns, values }: Tuple): string[] {
  const { write, all } = table.formOf(columns);
  return all ? values : write.map((place) => values[place] ?? NULL);
}

function keyedChanges(table: ReplayTable): TableChanges {
  const net = netChanges();
  const { keyPlaces } = table;
  const [only] = keyPlaces;
  const isWritten = !keyPlaces.includes(-1);
  /** @param row - as it is in the changes, where generated columns have values */
  const keyOf = (values: readonly string[], row: Tuple, old: Tuple | null): string => {
    if (isWritten && keyPlaces.length === 1) return values[only ?? 0] ?? '';
    if (isWritten) return lineOf(keyPlaces.map((place) => values[place] ?? ''));
    const { key } = table.formOf(row.columns);
    return lineOf(
      keyPlaces.map((place, index) => {
        const value = place >= 0 ? values[place] : row.values[key[index] ?? -1];
        if (value !== UNCHANGED || !old) return value ?? '';
        return old.values[table.oldPlaces(old.columns, 'key')[index] ?? -1] ?? '';
      }),
    );
  };
  const oldKeyOf = ({ columns, values }: Tuple): string => {
    const places = table.oldPlaces(columns, 'key');
    if (places.includes(-1)) throw definitionsDiffer(table.target, 'its changes do not name the key of its rows');
    return lineOf(places.map((place) => values[place] ?? ''));
  };
  return {
    table,
    pending: { kind: 'keyed', net },
    add(change) {
      switch (change.kind) {
        case 'insert': {
          const values = valuesOf(table, change.row);
          net.insert(keyOf(values, change.row, null), values);
          return;
        }
        case 'update': {
          const values = valuesOf(table, change.row);
          if (change.old) fillFrom(table, values, change.old);
          // A large value may be part of the key: then the old key is told, and has it.
          const key = keyOf(values, change.row, change.old);
          net.update(change.old ? oldKeyOf(change.old) : key, key, values);
          return;
        }
        case 'delete':
          if (!change.old) throw withoutIdentity(table);
          net.delete(oldKeyOf(change.old));
      }
    },
  };
}

/** An old row, or key, has large values whole, as the new one that they are unchanged in does not. */
function fillFrom(table: ReplayTable, values: string[], { columns, values: old }: Tuple): void {
  if (!values.includes(UNCHANGED)) return;
  const places = table.oldPlaces(columns, 'all');
  for (let index = 0; index < values.length; index += 1) {
    const place = places[index] ?? -1;
    if (values[index] === UNCHANGED && place >= 0) values[index] = old[place] ?? UNCHANGED;
  }
}

function countedChanges(table: ReplayTable): TableChanges {
  const net = netCounts();
  /** Old rows leave NULLs out. */
  const oldRow = ({ columns, values }: Tuple): string =>
    lineOf(table.oldPlaces(columns, 'all').map((place) => (place < 0 ? NULL : (values[place] ?? NULL))));
  return {
    table,
    pending: { kind: 'counted', net },
    add(change) {
      if (change.kind !== 'insert') {
        if (!change.old) throw withoutIdentity(table);
        net.remove(oldRow(change.old));
      }
      if (change.kind === 'delete') return;
      const values = valuesOf(table, change.row);
      if (change.kind === 'update' && change.old) fillFrom(table, values, change.old);
      net.add(lineOf(values));
    },
  };
}

function insertedRows(table: ReplayTable): TableChanges {
  const lines: string[] = [];
  return {
    table,
    pending: { kind: 'inserted', lines },
    add(change) {
      if (change.kind !== 'insert') throw withoutIdentity(table);
      lines.push(lineOf(valuesOf(table, change.row)));
    },
  };
}

function withoutIdentity({ target }: ReplayTable): OperationError {
  return new OperationError(
    'no_replica_identity',
    `Rows of ${target} were updated or deleted, and it has no replica identity: which rows is not in the log`,
    `Restore to a moment before, or leave the table out. Give it a primary key, or ALTER TABLE ${target} REPLICA IDENTITY FULL.`,
  );
}
