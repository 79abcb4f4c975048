import pg from 'pg';
import { definitions, positionOf, relationsWithRows, rowsOf } from './fingerprint.sql.ts';

/** How long each statement of a comparison may take, in milliseconds. */
export const STATEMENT_MS = 600_000;

type Fingerprint = {
  /** By name: a sum over a relation's rows, a sequence's position, or an object's definition. */
  readonly values: ReadonlyMap<string, string>;
  readonly tables: number;
  readonly rows: number;
};

export type Comparison = {
  /** In words; none when the databases are equal. */
  readonly differences: readonly string[];
  readonly tables: number;
  readonly rows: number;
  readonly definitions: number;
};

/** How to reach a database: with the driver's options, or by a function that opens a connection. */
export type Source = pg.ClientConfig | (() => Promise<pg.Client>);

/**
 * Compares two databases: the rows of every table, the sequences' positions, and the definitions of columns, constraints,
 * indexes, views, routines, triggers, rules, policies, partitions, enums, domains, statistics and extensions. Each is read in one
 * snapshot.
 *
 * @throws Error when one cannot be read
 */
export async function compareDatabases(first: Source, second: Source): Promise<Comparison> {
  const [one, other] = await Promise.all([fingerprint(first), fingerprint(second)]);
  const names = [...new Set([...one.values.keys(), ...other.values.keys()])];
  const differences = names
    .filter((name) => one.values.get(name) !== other.values.get(name))
    .map((name) => {
      if (!other.values.has(name)) return `${name} is only in the first`;
      return one.values.has(name) ? `${name} differs` : `${name} is only in the second`;
    });
  return { differences, tables: one.tables, rows: one.rows, definitions: one.values.size - one.tables };
}

async function open(source: Source): Promise<pg.Client> {
  if (typeof source === 'function') return source();
  const client = new pg.Client({ ...source, application_name: 'compare', statement_timeout: STATEMENT_MS });
  await client.connect();
  return client;
}

async function fingerprint(source: Source): Promise<Fingerprint> {
  const client = await open(source);
  try {
    await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    // What a value looks like as text must not depend on how either database is set up.
    await client.query(`SET LOCAL search_path = ''; SET LOCAL "TimeZone" = 'UTC'; SET LOCAL extra_float_digits = 3`);
    const values = new Map<string, string>();
    let tables = 0;
    let rows = 0;
    for (const { name, is_sequence } of await read<{ name: string; is_sequence: boolean }>(client, relationsWithRows)) {
      const sql = is_sequence ? positionOf(name) : rowsOf(name);
      const [found] = await read<{ rows?: string; sum: string }>(client, sql);
      values.set(`${is_sequence ? 'sequence' : 'table'} ${name}`, `${found?.rows ?? ''} ${found?.sum ?? ''}`);
      if (is_sequence) continue;
      tables += 1;
      rows += Number(found?.rows ?? 0);
    }
    for (const { kind, name, definition } of await read<{ kind: string; name: string; definition: string }>(
      client,
      definitions,
    )) {
      values.set(`${kind} ${name}`, definition);
    }
    return { values, tables, rows };
  } finally {
    await client.end();
  }
}

async function read<Row extends pg.QueryResultRow>(client: pg.Client, sql: string): Promise<Row[]> {
  return (await client.query<Row>(sql)).rows;
}
