import type pg from 'pg';
import {
  checksumSql,
  columnChecksumSql,
  exactText,
  largeObjectsSql,
  positionSql,
  rowsOfSql,
  sequencesSql,
} from './content.sql.ts';
import { mapDifferences } from './maps.ts';

/**
 * Compares what two databases hold, by ordered checksums that their servers make: rows of tables and materialized views, and
 * large objects. What each client's transaction sees is what counts: the caller begins it.
 *
 * @returns the differences in words
 */
export async function contentDifferences(first: pg.Client, second: pg.Client): Promise<string[]> {
  await first.query(exactText);
  await second.query(exactText);
  const [one, other] = [await readRows(first), await readRows(second)];
  const differences: string[] = [];
  for (const { name, kind } of mapDifferences(textOf(one), textOf(other))) {
    const [was, is] = [one.get(name), other.get(name)];
    if (kind !== 'differs' || !was || !is) {
      differences.push(`rows of ${name}: ${kind}`);
    } else if (was.rows !== is.rows) {
      differences.push(
        `rows of ${name}: ${was.rows ?? 'never filled'} in the first, ${is.rows ?? 'never filled'} in the second`,
      );
    } else {
      const columns = await differingColumns(first, second, was);
      differences.push(`rows of ${name}: other values${columns.length > 0 ? ` in ${columns.join(', ')}` : ''}`);
    }
  }
  const objects = [await readPairs(first, largeObjectsSql), await readPairs(second, largeObjectsSql)] as const;
  for (const { name, kind, values } of mapDifferences(...objects)) {
    differences.push(`large object ${name}: ${kind}${values}`);
  }
  return differences;
}

/** Compares the positions of sequences, which belong to no transaction. */
export async function positionDifferences(first: pg.Client, second: pg.Client): Promise<string[]> {
  return mapDifferences(await readPositions(first), await readPositions(second)).map(
    ({ name, kind, values }) => `position of ${name}: ${kind}${values}`,
  );
}

interface Relation {
  name: string;
  /** What FROM takes. */
  from: string;
  columns: string[];
  /** null for a materialized view that was never filled. */
  rows: string | null;
  sum: string;
}

async function readRows(client: pg.Client): Promise<Map<string, Relation>> {
  const found = new Map<string, Relation>();
  const { rows: relations } = await client.query<{
    name: string;
    only: boolean;
    populated: boolean;
    columns: string[];
  }>(rowsOfSql);
  for (const { name, only, populated, columns } of relations) {
    const from = `${only ? 'ONLY ' : ''}${name}`;
    const { rows } = populated ? await client.query<{ rows: string; sum: string }>(checksumSql(from)) : { rows: [] };
    found.set(name, { name, from, columns, rows: rows[0]?.rows ?? null, sum: rows[0]?.sum ?? '' });
  }
  return found;
}

const textOf = (relations: ReadonlyMap<string, Relation>): Map<string, string> =>
  new Map([...relations].map(([name, { rows, sum }]) => [name, `${rows} ${sum}`]));

async function differingColumns(first: pg.Client, second: pg.Client, { from, columns }: Relation): Promise<string[]> {
  const differing: string[] = [];
  for (const column of columns) {
    const sql = columnChecksumSql(from, column);
    const sums = await Promise.all(
      [first, second].map(async (client) => (await client.query<{ sum: string }>(sql)).rows[0]?.sum),
    );
    if (sums[0] !== sums[1]) differing.push(column);
  }
  return differing;
}

async function readPositions(client: pg.Client): Promise<Map<string, string>> {
  const positions = new Map<string, string>();
  for (const { name } of (await client.query<{ name: string }>(sequencesSql)).rows) {
    positions.set(name, (await client.query<{ position: string }>(positionSql(name))).rows[0]?.position ?? '');
  }
  return positions;
}

async function readPairs(client: pg.Client, sql: string): Promise<Map<string, string>> {
  const { rows } = await client.query<{ name: string; definition: string }>(sql);
  return new Map(rows.map(({ name, definition }) => [name, definition]));
}
