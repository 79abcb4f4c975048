import type pg from 'pg';
import * as z from 'zod';
import type { Connection } from '../../contract/schemas/health.ts';
import { OperationError } from '../../errors.ts';
import { maskConstants } from '../../postgres/mask-constants.ts';
import { activityNumbersSql } from '../sample/activity.sql.ts';
import { readSessionGroups, type SessionGroup } from '../sample/read-details.ts';
import { oneRow } from '../sample/take-reading.ts';
import { closeIdleSql, sessionsSql, terminateSql } from './sessions.sql.ts';

/** Sessions that one request ends at most; the answer says whether there are more. */
const MOST_CLOSED = 500;

/** The sessions of the server in numbers, by state, user, application and wait event. */
export async function connectionStats(client: pg.Client) {
  const { connections, max_connections } = await oneRow(client, activityNumbersSql, [0]);
  const groups = await readSessionGroups(client);
  const by = (kind: SessionGroup['kind']) =>
    groups.filter((group) => group.kind === kind).map(({ name, sessions }) => ({ name, sessions }));
  return {
    connections: connections as number,
    max_connections: max_connections as number,
    usage: connections / max_connections,
    by_state: by('state'),
    by_user: by('user'),
    by_application: by('application'),
    by_wait_event: by('wait_event'),
  };
}

export interface SessionFilter {
  state?: string | undefined;
  user?: string | undefined;
  application?: string | undefined;
}

const cursorSchema = z.tuple([z.string().regex(/^\d{1,18}$/), z.int().min(1)]);

/**
 * A page of the sessions, the oldest first: those that come while pages are read are at the end.
 *
 * @throws OperationError `invalid_cursor`
 */
export async function listSessions(
  client: pg.Client,
  { state, user, application, limit, cursor }: SessionFilter & { limit: number; cursor?: string | undefined },
): Promise<{ items: Connection[]; next_cursor: string | null }> {
  const [after, pid] = cursor === undefined ? [null, null] : decode(cursor);
  const values = [state ?? null, user ?? null, application ?? null, after, pid, limit + 1];
  const { rows } = await client.query(sessionsSql, values);
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(({ started: _, connected_at, query, ...row }) => ({
      ...row,
      connected_at: connected_at.toISOString(),
      query: shownQuery(query),
    })),
    next_cursor: rows.length > limit ? encode([last.started, last.pid]) : null,
  };
}

const encode = (position: [string, number]): string => Buffer.from(JSON.stringify(position)).toString('base64url');

function decode(cursor: string): [string, number] {
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw new OperationError(
      'invalid_cursor',
      'The cursor is not one that this list gave',
      'Use next_cursor of the page before, unchanged.',
    );
  }
}

/** A statement without its constants; null where there is none or the login may not see it. */
export function shownQuery(query: string | null): string | null {
  return query === null || query === '' ? null : maskConstants(query);
}

export interface CloseIdle {
  older_than_seconds: number;
  user?: string | undefined;
  application?: string | undefined;
  idle_in_transaction: boolean;
}

/** Ends idle sessions of the database: never this system's own, never replication. */
export async function closeIdle(
  client: pg.Client,
  { older_than_seconds, user, application, idle_in_transaction }: CloseIdle,
) {
  const values = [older_than_seconds, user ?? null, application ?? null, idle_in_transaction, MOST_CLOSED];
  const { rows } = await client.query(closeIdleSql, values);
  const closed = rows.filter(({ ended }) => ended === true);
  return {
    closed: closed.map(({ pid, user, application, idle_seconds }) => ({ pid, user, application, idle_seconds })),
    not_permitted: Number(rows[0]?.not_permitted ?? 0),
    more: Number(rows[0]?.fitting ?? 0) > MOST_CLOSED,
  };
}

/**
 * Ends one session of the database.
 *
 * @throws OperationError `unknown_session`, `session_protected` or `termination_not_permitted`
 */
export async function terminateSession(client: pg.Client, pid: number) {
  const { rows } = await client.query(terminateSql, [pid]);
  const [row] = rows;
  if (row?.outcome === 'protected') {
    throw new OperationError(
      'session_protected',
      `The session ${pid} is one of this system, of another database, or none of a client`,
      'Cancel the job it belongs to, or end it on the server itself.',
    );
  }
  if (row?.outcome === 'not_permitted') {
    throw new OperationError(
      'termination_not_permitted',
      `The login of this system may not end the session ${pid}`,
      'Grant it pg_signal_backend; sessions of superusers only a superuser ends.',
    );
  }
  if (!row?.ended) {
    throw new OperationError(
      'unknown_session',
      `There is no session ${pid}`,
      'List them with GET connections/details.',
    );
  }
  const { user, application, idle_seconds } = row;
  return { closed: [{ pid, user, application, idle_seconds }], not_permitted: 0, more: false };
}
