import type pg from 'pg';
import * as z from 'zod';
import { OperationError } from '../../errors.ts';
import { listed } from '../../listed.ts';
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../postgres/identifiers.ts';
import type { KeptRows } from '../sample/kept-rows.sql.ts';
import { MOST_NAMED_PAGES, type NamedPlaces, pageConditions, readsRanges, rowsPerPage } from './page-conditions.sql.ts';
import { tablesSql } from './relations.sql.ts';

const tableRowSchema = z.object({
  oid: z.coerce.number(),
  schema: z.string(),
  name: z.string(),
  persistence: z.enum(['p', 'u']),
  heap: z.boolean(),
  heap_bytes: z.coerce.number(),
  table_bytes: z.coerce.number(),
  estimated_rows: z.number(),
  condition: z.string().nullable(),
  root: z.object({ schema: z.string(), name: z.string() }).nullable(),
  readable: z.boolean(),
  /** Row-level security hides rows of it from the login. */
  hidden: z.boolean(),
  /** The extension that it belongs to; null: none. */
  extension: z.string().nullable(),
  columns: z.array(z.string()),
  has_columns: z.boolean(),
});

/** A table whose rows are backed up. `number` is its place in the plan and names its folder in the bucket. */
export interface PlannedTable {
  number: number;
  oid: number;
  schema: string;
  name: string;
  columns: string[];
  hasColumns: boolean;
  /** Of a partition, the partitioned table above all. */
  root?: { schema: string; name: string } | null;
  condition: string | null;
  /** Of a sampled table, how its kept rows are selected, and about what part of all they are; absent: every row is kept. */
  kept?: KeptRows & { share: number };
  heapBytes: number;
  tableBytes: number;
  estimatedRows: number | null;
}

/** A range of a table's pages that becomes one stored object; without bounds, the whole table. */
export interface PlannedChunk {
  table: PlannedTable;
  index: number;
  /** First page, inclusive; null from the start. */
  fromPage: number | null;
  /** First page not included; null to the end, including pages added since the plan. */
  toPage: number | null;
  /** How its pages are read where the server does not read ranges of them. */
  places?: NamedPlaces;
  /** Share of the table's bytes, for order and progress. */
  weight: number;
}

export interface Plan {
  tables: PlannedTable[];
  /** Largest first, so that the last ones to finish are small. */
  chunks: PlannedChunk[];
}

/**
 * Lists the tables of the snapshot's database. Tables of extensions that the login may not read in full are left out, as their owner is often
 * not of this database: on RDS, cron.job belongs to rdsadmin and shows each login its own jobs.
 *
 * @param isChosen - whether a table's rows are backed up, by its OID; by default all are
 * @param leavesOut - tables from whose rows policies keep the login are left out, and named in `hidden`; otherwise they are refused
 * @throws OperationError `table_not_readable` naming every table that the login may not read, `rows_hidden` those of policies
 */
export async function listTables(
  client: pg.Client,
  isChosen: (oid: number) => boolean = () => true,
  { leavesOut = false }: { leavesOut?: boolean } = {},
): Promise<{
  tables: PlannedTable[];
  rangeable: Set<number>;
  hidden: { schema: string; name: string }[];
  warnings: string[];
}> {
  const { rows } = await client.query(tablesSql);
  const chosen = z
    .array(tableRowSchema)
    .parse(rows)
    .filter(({ oid }) => isChosen(oid));
  const isUnread = ({ extension, readable, hidden }: (typeof chosen)[number]) =>
    extension !== null && (!readable || hidden);
  const own = chosen.filter((row) => !isUnread(row));
  const warnings = chosen
    .filter(isUnread)
    .map(
      ({ schema, name, extension, readable }) =>
        `Rows of ${schema}.${name}, a table of the extension ${extension}, are not in the backup: ${readable ? 'row-level security hides some of them from the login' : 'the login may not read it'}`,
    );
  const hidden = own.filter((table) => table.hidden).map(({ schema, name }) => ({ schema, name }));
  if (hidden.length > 0 && !leavesOut) throw rowsHidden(hidden);
  const found = own.filter((table) => !table.hidden);
  const refused = found.filter(({ readable }) => !readable).map(({ schema, name }) => quoteQualified(schema, name));
  if (refused.length > 0) {
    throw new OperationError(
      'table_not_readable',
      `The login may not read ${refused.length} tables: ${listed(refused)}`,
      'Grant it SELECT on them, or membership of pg_read_all_data (PostgreSQL 14 and later).',
    );
  }
  const tables = found.map(
    (row, number): PlannedTable => ({
      number,
      oid: row.oid,
      schema: row.schema,
      name: row.name,
      columns: row.columns,
      hasColumns: row.has_columns,
      root: row.root,
      condition: row.condition === '' ? null : row.condition,
      heapBytes: row.heap_bytes,
      tableBytes: row.table_bytes,
      estimatedRows: row.estimated_rows < 0 ? null : row.estimated_rows,
    }),
  );
  return { tables, hidden, warnings, rangeable: new Set(found.flatMap(({ heap }, number) => (heap ? [number] : []))) };
}

function rowsHidden(tables: readonly { schema: string; name: string }[]): OperationError {
  const names = tables.map(({ schema, name }) => quoteQualified(schema, name));
  return new OperationError(
    'rows_hidden',
    `Nothing was exported: row security hides rows of ${names.length} tables from the login: ${listed(names)}`,
    'As a superuser: ALTER ROLE <the login> BYPASSRLS. Where nobody may, GRANT it the owners of these tables. GET doctor shows the statements; "unreadable" in the configuration says whether such tables are left out instead.',
  );
}

/**
 * Cuts tables into chunks of about `chunkBytes` of table, TOAST included, by ranges of heap pages.
 *
 * @param rangeable - numbers of the tables that have such pages
 * @param wholeBytes - up to this size a table stays whole where the server does not read ranges of pages (before PostgreSQL 14)
 */
export function planChunks(
  tables: readonly PlannedTable[],
  {
    rangeable,
    serverVersion,
    blockSize,
    chunkBytes,
    wholeBytes,
  }: {
    rangeable: ReadonlySet<number>;
    serverVersion: number;
    blockSize: number;
    chunkBytes: number;
    wholeBytes: number;
  },
): Plan {
  const inRanges = readsRanges(serverVersion);
  const chunks = tables.flatMap((table): PlannedChunk[] => {
    const pages = Math.ceil(table.heapBytes / blockSize);
    const least = inRanges ? 1 : Math.ceil(pages / MOST_NAMED_PAGES);
    const wanted = Math.max(1, Math.min(pages, Math.max(least, Math.round(table.tableBytes / chunkBytes))));
    if (wanted === 1 || !rangeable.has(table.number) || (!inRanges && table.tableBytes <= wholeBytes)) {
      return [{ table, index: 0, fromPage: null, toPage: null, weight: table.tableBytes }];
    }
    return Array.from({ length: wanted }, (_, index) => ({
      table,
      index,
      fromPage: index === 0 ? null : Math.floor((pages * index) / wanted),
      toPage: index === wanted - 1 ? null : Math.floor((pages * (index + 1)) / wanted),
      ...(inRanges ? {} : { places: { pages, rowsPerPage: rowsPerPage(blockSize) } }),
      weight: table.tableBytes / wanted,
    }));
  });
  chunks.sort((a, b) => b.weight - a.weight);
  return { tables: [...tables], chunks };
}

/**
 * The COPY statement that reads one chunk.
 *
 * @param encoding - the database's own: values that are not valid in another one could not be read otherwise
 */
export function copyOutSql({ table, fromPage, toPage, places }: PlannedChunk, encoding: string): string {
  const out = `TO STDOUT WITH (ENCODING ${quoteLiteral(encoding)})`;
  const name = quoteQualified(table.schema, table.name);
  const columns = table.columns.map(quoteIdentifier).join(', ');
  const range = (ctid: string): string[] => pageConditions(fromPage, toPage, ctid, places);
  if (table.kept) return `COPY (${sampledRowsSql(table, table.kept, range('t.ctid'))}) ${out}`;
  if (fromPage === null && toPage === null && table.condition === null) {
    // A table whose columns are all generated has rows, yet no column that COPY would take: each becomes an empty line.
    return columns.length > 0 ? `COPY ${name} (${columns}) ${out}` : `COPY ${name} ${out}`;
  }
  const ofPages = range('ctid').join(' AND ');
  const condition = [
    table.condition ?? '',
    ofPages === '' ? '' : `${table.condition ? 'AND' : 'WHERE'} ${ofPages}`,
  ].join(' ');
  return `COPY (SELECT ${columns} FROM ONLY ${name} ${condition}) ${out}`;
}

function sampledRowsSql(
  { schema, name, columns }: PlannedTable,
  { before, joins, condition }: KeptRows,
  range: readonly string[],
): string {
  const list = columns.map((column) => `t.${quoteIdentifier(column)}`).join(', ');
  return `${before}SELECT ${list} FROM ONLY ${quoteQualified(schema, name)} t ${joins} WHERE ${[...range, condition].join(' AND ')}`;
}

/** The COPY statement that loads any chunk of a table. */
export function copyInSql(table: { schema: string; name: string; columns: readonly string[] }): string {
  const name = quoteQualified(table.schema, table.name);
  const columns = table.columns.map(quoteIdentifier).join(', ');
  return columns.length > 0 ? `COPY ${name} (${columns}) FROM STDIN` : `COPY ${name} FROM STDIN`;
}
