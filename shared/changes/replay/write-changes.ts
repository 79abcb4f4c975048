import type pg from 'pg';
import { copyIn } from '../../postgres/copy/copy-in.ts';
import { quoteIdentifier } from '../../postgres/identifiers.ts';
import { UNCHANGED } from '../decoding/tuple.ts';
import { Diverged, lineOf, type NetChanges, type NetCounts, type NetRow, valuesOfLine } from './net-changes.ts';
import type { TableChanges } from './table-changes.ts';
import type { ReplayTable } from './tables.ts';

/** The session that writes, and what goes with it. */
export interface ReplayWriter {
  client: pg.Client;
  /** Of the values' text. */
  encoding: string;
  signal: AbortSignal;
  /** Temporary tables that are there, by name. */
  staged: Set<string>;
}

/** Plans that follow the keys: what is to be changed is always little beside the table, which nothing tells the planner. */
export const WRITER_SETTINGS = `
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET plan_cache_mode = force_generic_plan`;

const NEWLINE = 0x0a;
const BLOCK_BYTES = 131_072;

/** Lines, which have a character for each byte, as blocks of COPY text. */
async function* blocksOf(lines: Iterable<string>): AsyncGenerator<Buffer> {
  let block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let used = 0;
  for (const line of lines) {
    if (used + line.length >= block.length) {
      if (used > 0) yield block.subarray(0, used);
      if (line.length >= block.length) block = Buffer.allocUnsafeSlow(line.length + 1);
      used = 0;
    }
    used += block.write(line, used, 'latin1');
    block[used] = NEWLINE;
    used += 1;
  }
  if (used > 0) yield block.subarray(0, used);
}

async function load({ client, encoding, signal }: ReplayWriter, into: string, lines: Iterable<string>): Promise<void> {
  await copyIn(client, `COPY ${into} FROM STDIN WITH (ENCODING '${encoding}')`, blocksOf(lines), signal);
}

/** Loads lines into a temporary table of its own for this use; `columns` makes it. */
async function stage(writer: ReplayWriter, name: string, select: string, lines: Iterable<string>): Promise<string> {
  const staging = `pg_temp.${quoteIdentifier(name)}`;
  if (!writer.staged.has(name)) {
    await writer.client.query(`CREATE TEMPORARY TABLE ${quoteIdentifier(name)} AS ${select} WITH NO DATA`);
    writer.staged.add(name);
  }
  await load(writer, staging, lines);
  return staging;
}

/** Before definitions are changed: what is staged would hold on to types. */
export async function dropStaging({ client, staged }: ReplayWriter): Promise<void> {
  for (const name of staged) await client.query(`DROP TABLE pg_temp.${quoteIdentifier(name)}`);
  staged.clear();
}

/**
 * Writes what a table's changes come to.
 *
 * @throws Diverged when the rows that they concern are not there; the server's error
 */
export async function writeChanges(writer: ReplayWriter, { table, pending }: TableChanges): Promise<void> {
  switch (pending.kind) {
    case 'keyed':
      return writeKeyed(writer, table, pending.net);
    case 'counted':
      return writeCounted(writer, table, pending.net);
    case 'inserted':
      return insertRows(writer, table, pending.lines);
  }
}

/** COPY takes no table without columns: those rows differ in nothing but their number. */
async function insertRows(writer: ReplayWriter, table: ReplayTable, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  if (table.columns.length > 0) return load(writer, `${table.target} (${table.columns.join(', ')})`, lines);
  await writer.client.query(`INSERT INTO ${table.target} SELECT FROM pg_catalog.generate_series(1, ${lines.length})`);
}

async function writeKeyed(writer: ReplayWriter, table: ReplayTable, net: NetChanges): Promise<void> {
  const { client } = writer;
  const stored = net.stored();
  const whole: string[] = [];
  const partial: NetRow[] = [];
  for (const row of net.rows()) {
    if (row.from === null) whole.push(row.line);
    else partial.push(row);
  }
  // What is left of large values is looked up before the rows that have them go.
  const completed = partial.length > 0 ? await completeRows(writer, table, partial) : null;
  if (stored.length > 0) {
    const columns = table.key.map(({ column }) => column).join(', ');
    const keys = await stage(writer, `keys ${table.oid}`, `SELECT ${columns} FROM ${table.from}`, stored);
    const equal = table.key.map(({ column, operator }) => `t.${column} ${operator} k.${column}`).join(' AND ');
    const { rowCount } = await client.query(`DELETE FROM ${table.from} AS t USING ${keys} AS k WHERE ${equal}`);
    await client.query(`TRUNCATE ${keys}`);
    if (rowCount !== stored.length) {
      throw new Diverged(`Of ${stored.length} rows of ${table.target} that were changed, ${rowCount} are there`);
    }
  }
  await insertRows(writer, table, whole);
  if (!completed) return;
  const columns = table.columns.join(', ');
  await client.query(
    `INSERT INTO ${table.target} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM ${completed}`,
  );
  await client.query(`TRUNCATE ${completed}`);
}

/** Stages rows that lack large values, and fetches those from the stored rows. Answers the staging table. */
async function completeRows(writer: ReplayWriter, table: ReplayTable, rows: readonly NetRow[]): Promise<string> {
  const { client } = writer;
  const keys = table.key.map(({ column, operator }, index) => ({
    column,
    operator,
    staged: `"stored key ${index + 1}"`,
  }));
  const groups = new Map<string, { number: number; columns: string[]; rows: number }>();
  const lines = rows.map(({ line, from }) => {
    const values = valuesOfLine(line);
    const lacking = values.flatMap((value, index) => (value === UNCHANGED ? [index] : []));
    const name = lacking.join();
    const group = groups.get(name) ?? {
      number: groups.size,
      columns: lacking.map((index) => table.columns[index] ?? ''),
      rows: 0,
    };
    group.rows += 1;
    groups.set(name, group);
    const present = values.map((value) => (value === UNCHANGED ? '\\N' : value));
    return `${from}\t${group.number}\t${lineOf(present)}`;
  });
  const copies = keys.map(({ column, staged }) => `${column} AS ${staged}`).join(', ');
  const select = `SELECT ${copies}, 0 AS "group of rows", ${table.columns.join(', ')} FROM ${table.from}`;
  const staging = await stage(writer, `rows ${table.oid}`, select, lines);
  const equal = keys.map(({ column, operator, staged }) => `t.${column} ${operator} r.${staged}`).join(' AND ');
  for (const { number, columns, rows: expected } of groups.values()) {
    const { rowCount } = await client.query(
      `UPDATE ${staging} AS r SET ${columns.map((column) => `${column} = t.${column}`).join(', ')}
         FROM ${table.from} AS t WHERE r."group of rows" = ${number} AND ${equal}`,
    );
    if (rowCount !== expected) {
      throw new Diverged(`Of ${expected} rows of ${table.target} that were changed, ${rowCount} are there`);
    }
  }
  return staging;
}

/** Rows without a key: each is found by the text of all its values, as many times as it is to go. */
async function writeCounted(writer: ReplayWriter, table: ReplayTable, net: NetCounts): Promise<void> {
  const { client } = writer;
  const fewer: string[] = [];
  const more: string[] = [];
  let expected = 0;
  for (const [row, count] of net.counts()) {
    if (count < 0) {
      fewer.push(row === '' ? String(-count) : `${-count}\t${row}`);
      expected -= count;
    } else for (let copy = 0; copy < count; copy += 1) more.push(row);
  }
  if (fewer.length > 0) {
    const columns = table.columns.join(', ');
    const list = columns === '' ? '' : `, ${columns}`;
    const rows = await stage(
      writer,
      `counts ${table.oid}`,
      `SELECT 0::int8 AS "number of rows"${list} FROM ${table.from}`,
      fewer,
    );
    const text = (alias: string): string =>
      `ROW(${table.columns.map((column) => `${alias}.${column}`).join(', ')})::text`;
    await client.query('SET LOCAL enable_hashjoin = on');
    const { rowCount } = await client.query(
      `DELETE FROM ${table.from} AS t USING (
         SELECT found.tableoid, found.ctid
           FROM (SELECT s.tableoid, s.ctid, ${text('s')} AS row, pg_catalog.row_number() OVER (PARTITION BY ${text('s')}) AS number
                   FROM ${table.from} AS s) AS found
           JOIN (SELECT ${text('r')} AS row, r."number of rows" AS most FROM ${rows} AS r) AS gone
             ON gone.row = found.row AND found.number <= gone.most) AS doomed
        WHERE t.ctid = doomed.ctid AND t.tableoid = doomed.tableoid`,
    );
    await client.query(`SET LOCAL enable_hashjoin = off; TRUNCATE ${rows}`);
    if (rowCount !== expected) {
      throw new Diverged(`Of ${expected} rows of ${table.target} that were changed, ${rowCount} are there`);
    }
  }
  await insertRows(writer, table, more);
}
