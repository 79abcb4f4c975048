import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../postgres/identifiers.ts';
import { DAY_MS } from '../../time.ts';
import { openServerSession } from './server-session.ts';
import { dropStagingDatabase } from './target-database.ts';

/** Where a database under construction keeps what is done. Removed before the database is offered. */
export const RECORD_SCHEMA = 'dbms_restoring';

/** The table of a record, quoted. The transaction that wrote an item (its `xmin`) is that of the rows it speaks of. */
export const recordTable = (schema: string): string => quoteQualified(schema, 'done');

/** What of a restore is done: written in the database it fills, and where rows are loaded in their transaction. */
export interface RestoreRecord {
  /** What earlier attempts have noted. */
  readonly items: ReadonlySet<string>;
  has(item: string): boolean;
  readonly warnings: readonly string[];
  /** Notes items as done, with what there is to say of them. In a transaction they count when it is committed. */
  add(client: pg.Client, items: readonly string[], warnings?: readonly string[]): Promise<void>;
}

export const recordItem = {
  /** Everything before the rows. Without it, a database is begun anew. */
  definitions: 'definitions',
  chunk: (path: string): string => `chunk ${path}`,
  /** Rows are masked by this version of the rules, which were shown to fit. */
  masked: (version: number | ''): string => `masked by version ${version}`,
  largeObjects: 'large objects',
  /** All of the backup is there; what comes after it goes on from there. */
  filled: 'filled',
  entry: (dumpId: number): string => `entry ${dumpId}`,
  /** A drill does without it. */
  leftOut: (dumpId: number): string => `left out ${dumpId}`,
} as const;

/**
 * Both statements are one transaction.
 *
 * @param client - in the database to be filled
 */
export async function createRecord(client: pg.Client, schema = RECORD_SCHEMA): Promise<RestoreRecord> {
  await client.query(
    `CREATE SCHEMA ${quoteIdentifier(schema)}; CREATE TABLE ${recordTable(schema)} (item text PRIMARY KEY, warnings text[] NOT NULL)`,
  );
  return recordOf(schema, new Set(), []);
}

/**
 * Reads what an earlier attempt has done.
 *
 * @returns null when it did not come to the rows, or not begin at all
 */
export async function readRecord(client: pg.Client, schema = RECORD_SCHEMA): Promise<RestoreRecord | null> {
  const table = recordTable(schema);
  const { rows: present } = await client.query('SELECT WHERE pg_catalog.to_regclass($1) IS NOT NULL', [table]);
  if (present.length === 0) return null;
  const { rows } = await client.query<{ item: string; warnings: string[] }>(`SELECT item, warnings FROM ${table}`);
  const items = new Set(rows.map(({ item }) => item));
  return items.has(recordItem.definitions)
    ? recordOf(
        schema,
        items,
        rows.flatMap(({ warnings }) => warnings),
      )
    : null;
}

export async function dropRecord(client: pg.Client, schema = RECORD_SCHEMA): Promise<void> {
  await client.query(`DROP SCHEMA IF EXISTS ${quoteIdentifier(schema)} CASCADE`);
}

function recordOf(schema: string, items: ReadonlySet<string>, earlier: readonly string[]): RestoreRecord {
  const warnings = [...earlier];
  return {
    items,
    has: (item) => items.has(item),
    warnings,
    async add(client, done, found = []) {
      warnings.push(...found);
      await client.query(
        `INSERT INTO ${recordTable(schema)} SELECT item, CASE WHEN number = 1 THEN $2::text[] ELSE '{}' END
           FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS done(item, number)
             ON CONFLICT (item) DO NOTHING`,
        [[...done], [...found]],
      );
    },
  };
}

/** Statements that the server brings to an end although their client is gone. */
const BUILDING = /^\s*(CREATE|ALTER|REFRESH)\s/i;

/**
 * Leaves no session in the database but one's own. One that builds an index or checks a key is awaited: the server goes on with
 * it without its client, and no later attempt could do it in less time. Others are ended.
 *
 * @param client - in the database
 */
export async function awaitEarlierSessions(client: pg.Client, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ pid: number; state: string | null; query: string }>(
      `SELECT pid, state, query FROM pg_catalog.pg_stat_activity
        WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend'`,
    );
    if (rows.length === 0) return;
    const ended = rows.filter(({ state, query }) => state !== 'active' || !BUILDING.test(query)).map(({ pid }) => pid);
    await client.query('SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.unnest($1::int[]) AS pid', [ended]);
    await setTimeout(ended.length === rows.length ? 50 : 1000, undefined, { signal });
  }
}

/** How long a database under construction is kept for a further attempt. */
export const KEPT_DAYS = 1;

/** Says in words, and for {@link dropExpiredDatabases}, what an unfinished database is. */
export async function markUnfinished(client: pg.Client, database: string): Promise<string> {
  const until = new Date((await serverTime(client)) + KEPT_DAYS * DAY_MS).toISOString();
  const comment = `Unfinished restore, to be resumed or dropped after ${until}`;
  await client.query(`COMMENT ON DATABASE ${quoteIdentifier(database)} IS ${quoteLiteral(comment)}`);
  return until;
}

/** Drops the database of an unfinished restore, if it is there. */
export async function discardDatabase(target: ConnectionTarget, name: string): Promise<void> {
  const client = await openServerSession(target, []);
  try {
    await dropStagingDatabase(client, name);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Milliseconds since the epoch by the server's clock: functions of other days, on machines with other clocks, compare with it. */
async function serverTime(client: pg.Client): Promise<number> {
  // A number, as dates are written in whatever style the login or the database has set.
  const { rows } = await client.query<{ now: number }>(
    'SELECT (1000 * extract(epoch FROM pg_catalog.clock_timestamp()))::float8 AS now',
  );
  return rows[0]?.now ?? Number.NaN;
}

/**
 * Drops databases of restores that nobody resumed in time, by the server's clock. Only what has both the name and the remark of one.
 */
export async function dropExpiredDatabases(client: pg.Client): Promise<string[]> {
  const now = await serverTime(client);
  const { rows } = await client.query<{ name: string; remark: string | null }>(
    `SELECT datname AS name, pg_catalog.shobj_description(oid, 'pg_database') AS remark FROM pg_catalog.pg_database
      WHERE datname LIKE 'dbms\\_restoring\\_%' OR datname LIKE 'dbms\\_drill\\_%'`,
  );
  const dropped: string[] = [];
  for (const { name, remark } of rows) {
    const [, until] = /^Unfinished restore, to be resumed or dropped after (\S+)$/.exec(remark ?? '') ?? [];
    if (until === undefined || !(Date.parse(until) < now)) continue;
    await dropStagingDatabase(client, name);
    dropped.push(name);
  }
  return dropped;
}
