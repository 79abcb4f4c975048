import type pg from 'pg';
import * as z from 'zod';
import { OperationError } from '../../errors.ts';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import { splitQualified } from '../decoding/names.ts';
import { tableSql } from './tables.sql.ts';

const tableSchema = z.object({
  oid: z.string(),
  schema: z.string(),
  name: z.string(),
  kind: z.enum(['r', 'p', 'm']),
  full: z.boolean(),
  /** Quoted, qualified: the table itself, or the root of its partitions where that has to find the right one. */
  target: z.string(),
  rerouted: z.boolean(),
  of_extension: z.boolean(),
  in_extension: z.boolean(),
  columns: z.array(z.object({ name: z.string(), bytes: z.string(), generated: z.boolean() })),
  key: z.array(z.object({ name: z.string(), operator: z.string() })),
});

/** How rows of one form, by the names of their columns, become rows of the table. */
export interface RowForm {
  /** Values to write, in the order of {@link ReplayTable.columns}. */
  write: readonly number[];
  /** Whether they are all there are, in their order: nothing has to be picked. */
  all: boolean;
  /** Values of the key. */
  key: readonly number[];
}

/** A table of the database that changes are written to. */
export interface ReplayTable {
  oid: string;
  schema: string;
  name: string;
  kind: 'r' | 'p' | 'm';
  /** Whether an extension has made it; its script may write rows. */
  inExtension: boolean;
  /** What statements take after FROM or INTO. */
  target: string;
  from: string;
  /** Columns that are written, quoted; generated ones are left to the server. */
  columns: readonly string[];
  /** Where each column of the key is among the columns that are written; -1 for a generated one, which its row has all the same. */
  keyPlaces: readonly number[];
  /** Key columns, quoted, with the operators that their index has for equality. Empty: no row can be found by a key. */
  key: readonly { column: string; operator: string }[];
  /** Rows without a key are found by all their values. */
  full: boolean;
  /**
   * @param columns - names of a new row's columns; equal forms share one array
   * @throws OperationError `definitions_differ`
   */
  formOf(columns: readonly string[]): RowForm;
  /** Places of the key's values in an old row, which may hold more or, with NULLs, less. */
  oldPlaces(columns: readonly string[], names: 'key' | 'all'): readonly number[];
}

/** Tables by the name that is in the changes; null for what changes are not written to. */
export interface ReplayTables {
  find(name: string): Promise<ReplayTable | null>;
  /** After definitions were changed. */
  forget(): void;
}

/**
 * Looks tables up when the first change of each comes.
 *
 * @param isLeftOut - tables whose changes are passed over
 * @param mayBeMissing - whether a table that is not there is passed over too, as when chosen tables are restored; or which ones may be
 */
export function replayTables(
  client: pg.Client,
  {
    isLeftOut,
    mayBeMissing,
  }: {
    isLeftOut: (table: { schema: string; name: string }) => boolean;
    mayBeMissing: boolean | readonly { schema: string; name: string }[];
  },
): ReplayTables {
  const mayBe = typeof mayBeMissing === 'boolean' ? () => mayBeMissing : namedIn(mayBeMissing);
  const known = new Map<string, ReplayTable | null>();
  return {
    async find(name) {
      const found = known.get(name);
      if (found !== undefined) return found;
      const table = await lookUp(client, name, isLeftOut, mayBe);
      known.set(name, table);
      return table;
    },
    forget: () => known.clear(),
  };
}

/** Names in the changes are a character for each byte, those of a backup text. */
function namedIn(tables: readonly { schema: string; name: string }[]): (schema: string, name: string) => boolean {
  const bytes = (text: string): string => Buffer.from(text).toString('latin1');
  const names = new Set(tables.map(({ schema, name }) => JSON.stringify([bytes(schema), bytes(name)])));
  return (schema, name) => names.has(JSON.stringify([schema, name]));
}

async function lookUp(
  client: pg.Client,
  name: string,
  isLeftOut: (table: { schema: string; name: string }) => boolean,
  mayBeMissing: (schema: string, name: string) => boolean,
): Promise<ReplayTable | null> {
  const { schema, name: relation } = splitQualified(name);
  const { rows } = await client.query(tableSql, [Buffer.from(schema, 'latin1'), Buffer.from(relation, 'latin1')]);
  if (rows.length === 0) {
    if (mayBeMissing(schema, relation)) return null;
    throw definitionsDiffer(name, 'it is not in the restored database');
  }
  const row = tableSchema.parse(rows[0]);
  // Rows of a materialized view follow from its query; those of an extension's own tables from the extension.
  if (row.kind === 'm' || row.of_extension || isLeftOut(row)) return null;
  return replayTable(name, row);
}

function replayTable(printed: string, row: z.output<typeof tableSchema>): ReplayTable {
  const written = row.columns.filter(({ generated }) => !generated);
  const bytesOf = new Map(row.columns.map(({ name, bytes }) => [name, Buffer.from(bytes, 'hex').toString('latin1')]));
  const writtenBytes = written.map(({ name }) => bytesOf.get(name) ?? '');
  const keyBytes = row.key.map(({ name }) => bytesOf.get(name) ?? '');
  const known = new Set(bytesOf.values());
  const forms = new WeakMap<readonly string[], RowForm>();
  const olds = { key: new WeakMap<readonly string[], number[]>(), all: new WeakMap<readonly string[], number[]>() };

  return {
    oid: row.oid,
    schema: row.schema,
    name: row.name,
    kind: row.kind,
    inExtension: row.in_extension,
    target: row.target,
    from: row.rerouted ? row.target : `ONLY ${row.target}`,
    columns: written.map(({ name }) => quoteIdentifier(name)),
    keyPlaces: row.key.map(({ name }) => written.findIndex((column) => column.name === name)),
    key: row.key.map(({ name, operator }) => ({ column: quoteIdentifier(name), operator })),
    full: row.full,
    formOf(columns) {
      const form = forms.get(columns);
      if (form) return form;
      const stranger = columns.find((column) => !known.has(column));
      if (stranger !== undefined)
        throw definitionsDiffer(printed, 'its rows have a column that the restored table lacks');
      const write = writtenBytes.map((column) => columns.indexOf(column));
      if (write.includes(-1)) throw definitionsDiffer(printed, 'its rows lack a column that the restored table has');
      const all = write.length === columns.length && write.every((place, index) => place === index);
      const made: RowForm = { write, all, key: keyBytes.map((column) => columns.indexOf(column)) };
      forms.set(columns, made);
      return made;
    },
    oldPlaces(columns, names) {
      const places = olds[names].get(columns);
      if (places) return places;
      const made = (names === 'key' ? keyBytes : writtenBytes).map((column) => columns.indexOf(column));
      olds[names].set(columns, made);
      return made;
    },
  };
}

export function definitionsDiffer(table: string, how: string): OperationError {
  return new OperationError(
    'definitions_differ',
    `The changes of ${table} do not fit the restored definitions: ${how}`,
    'Its definition was changed without being noted. Restore to a moment before, or leave the table out.',
  );
}
