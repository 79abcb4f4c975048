import type pg from 'pg';
import * as z from 'zod';
import { quoteLiteral } from './identifiers.ts';
import {
  type Place,
  type Pooler,
  poolerByProcess,
  serverNeededFor,
  statementPooling,
  worksThroughPooler,
} from './pooler.ts';
import { type SessionKind, type SessionLimits, settingsOf } from './session-settings.ts';
import { keepToTransactions } from './transaction-settings.ts';

export interface SessionStart {
  kind: SessionKind;
  limits: SessionLimits;
  /** The number of the server process that the login told; null when it told none. */
  announced: number | null;
  place: Place;
  /** How long to wait for each answer, in milliseconds. */
  timeoutMs: number;
}

const startSchema = z.object({ pid: z.int(), known: z.array(z.string()).nullable() });

/**
 * Brings a session that has just logged in into a clean state; it is the one place where that is done. The first statement empties the
 * search path and takes the login's own role back (`ALTER DATABASE ... SET role` gives another), the second sets what `sessionSettings` says for the kind, as far as the server knows it. Nothing is sent as a start-up
 * option, which poolers refuse.
 *
 * Through a pooler, both hold for their transaction alone, as the server's session goes to another client afterwards; every later
 * query then brings the settings along. See {@link keepToTransactions}.
 *
 * @returns the pooler that is in between; null without one
 * @throws OperationError `server_needed` or `statement_pooling`; the driver's errors
 */
export async function startSession(
  client: pg.Client,
  { kind, limits, announced, place, timeoutMs }: SessionStart,
): Promise<Pooler | null> {
  const settings = settingsOf(kind, limits);
  // A pooler that has no session of the server free says nothing for as long.
  const bounded = (text: string) => ({ text, query_timeout: timeoutMs });
  const results = (await client.query(bounded(startSql(settings, announced)))) as unknown as pg.QueryResult[];
  const { pid, known } = startSchema.parse({ ...results[0]?.rows[0], ...results[1]?.rows[0] });
  const pooler = poolerByProcess(announced, pid);
  if (!pooler) return null;
  if (!worksThroughPooler(kind)) throw serverNeededFor(kind, place, pooler);
  try {
    await client.query(bounded('BEGIN'));
    await client.query(bounded('COMMIT'));
  } catch (error) {
    throw statementPooling(place, error);
  }
  const applied = [...settings].filter(([name]) => known?.includes(name));
  keepToTransactions(client, new Map([['search_path', ''], ['role', 'none'], ...applied]));
  return pooler;
}

/**
 * Both statements in one message, which is one transaction: what holds for a transaction still holds in the second. Operators are
 * written with their schema as long as the search path is somebody else's.
 */
function startSql(settings: ReadonlyMap<string, string>, announced: number | null): string {
  const isPooled = `(pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.<>) ${Number(announced ?? 0)})`;
  const values = [...settings].map(([name, value]) => `(${quoteLiteral(name)}, ${quoteLiteral(value)})`);
  // A set of none has no form of its own.
  const given = values.length === 0 ? "('', '')" : values.join(', ');
  return `
SELECT pg_catalog.set_config('search_path', '', ${isPooled}) AS search_path,
       pg_catalog.set_config('role', 'none', ${isPooled}) AS role, pg_catalog.pg_backend_pid() AS pid;
SELECT pg_catalog.array_agg(s.name) AS known, pg_catalog.count(pg_catalog.set_config(s.name, given.value, ${isPooled})) AS set
  FROM (VALUES ${given}) AS given (name, value)
  JOIN pg_catalog.pg_settings s ON s.name = given.name`;
}
