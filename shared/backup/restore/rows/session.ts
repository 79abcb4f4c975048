import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import type { ConnectionTarget } from '../../../postgres/connect.ts';
import { fireEventTriggers } from '../event-triggers.ts';
import { openRestoreSession } from '../session.ts';

/** Where rows are loaded to, and by which job. */
export interface RowsPlace {
  target: ConnectionTarget;
  database: string;
  /** The schema of the job's record, which names it among all sessions of the database. */
  record: string;
}

const applicationOf = (record: string): string => `dbms restore ${record}`.slice(0, 63);

/**
 * Opens a session in a database that others use. It bears its job's name, so that a later attempt knows it, and does not wait for
 * locks longer than the configuration allows.
 */
export async function openRowsSession(
  { target, database, record }: RowsPlace,
  { replica = false }: { replica?: boolean } = {},
): Promise<pg.Client> {
  const named = { ...target, applicationName: applicationOf(record) };
  const limits = { lockTimeoutMs: target.limits.lock_timeout_ms };
  const client = await openRestoreSession(named, database, 'UTF8', limits);
  try {
    await fireEventTriggers(client);
    if (replica) await client.query('SET session_replication_role = replica');
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

/** How long sessions of an earlier attempt may take to end, milliseconds. */
const ENDING_MS = 60_000;
const BETWEEN_LOOKS_MS = 50;
/** Statements that the server brings to an end although their client is gone. */
const WORKING = /^\s*(INSERT|REFRESH|ANALYZE)\s/i;

/**
 * Leaves no session of earlier attempts at the job: what they have not committed is then gone, and what they have is recorded.
 *
 * @param awaitWork - lets checks of keys and the like come to their end, as no later attempt could make them in less time
 */
export async function endEarlierSessions(
  client: pg.Client,
  { record }: RowsPlace,
  signal: AbortSignal,
  { awaitWork = false }: { awaitWork?: boolean } = {},
): Promise<void> {
  let ending = 0;
  for (;;) {
    const { rows } = await client.query<{ pid: number; state: string | null; query: string }>(
      `SELECT pid, state, query FROM pg_catalog.pg_stat_activity
        WHERE datname = pg_catalog.current_database() AND application_name = $1 AND pid <> pg_catalog.pg_backend_pid()`,
      [applicationOf(record)],
    );
    if (rows.length === 0) return;
    const ended = rows.filter(({ state, query }) => !(awaitWork && state === 'active' && WORKING.test(query)));
    if (ended.length > 0 && ending++ * BETWEEN_LOOKS_MS > ENDING_MS) {
      throw new Error('Sessions of an earlier attempt at the restore do not end');
    }
    await client.query('SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.unnest($1::int[]) AS pid', [
      ended.map(({ pid }) => pid),
    ]);
    await setTimeout(ended.length === rows.length ? BETWEEN_LOOKS_MS : 1000, undefined, { signal });
  }
}

/** Leaves a statement to the server when the time is over: the next attempt finds what has become of it. */
export async function unlessAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  work.catch(() => undefined);
  try {
    signal.throwIfAborted();
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
