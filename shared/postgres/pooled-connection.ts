import { setImmediate } from 'node:timers/promises';
import type pg from 'pg';

/** A pool's connection with what is known of its state without asking the server. */
export interface PooledConnection {
  client: pg.Client;
  /** Milliseconds of `performance.now()`. */
  openedAt: number;
  idleSince: number;
  /** Whether the connection has failed or ended. */
  broken: boolean;
}

export function pooledConnection(
  client: pg.Client,
  onBroken: (connection: PooledConnection) => void,
): PooledConnection {
  const now = performance.now();
  const connection: PooledConnection = { client, openedAt: now, idleSince: now, broken: false };
  const failed = (): void => {
    if (connection.broken) return;
    connection.broken = true;
    onBroken(connection);
  };
  client.once('error', failed);
  client.once('end', failed);
  return connection;
}

/** Ends a connection in any state; never rejects, never hangs. */
export async function closeConnection({ client }: PooledConnection): Promise<void> {
  await client.end().catch(() => undefined);
}

/**
 * Lets the event loop hand out what the sockets have received. After a function was frozen, the end of a connection may have
 * arrived but not been noticed yet.
 */
export async function noticeBrokenConnections(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

/**
 * Whether the connection can be lent again: at rest, in no transaction. One whose end is not noticed yet is not at rest, as
 * the server said goodbye instead of ReadyForQuery.
 */
export function isAtRest({ client, broken }: PooledConnection): boolean {
  return !broken && client.getTransactionStatus() === 'I' && !hasQueries(client);
}

/** How long, in milliseconds, a returned connection may take to come to rest. */
const REST_MS = 100;

/**
 * Waits until a connection has no query left, but not long: a statement's error reaches its caller a moment before the server
 * is ready for the next one.
 */
export async function comingToRest({ client, broken }: PooledConnection): Promise<void> {
  if (broken || !hasQueries(client)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      client.off('drain', done);
      client.off('end', done);
      resolve();
    };
    const timer = setTimeout(done, REST_MS);
    client.once('drain', done);
    client.once('end', done);
  });
}

/** A query that still runs or waits would answer to the next borrower. */
export function hasQueries(client: pg.Client): boolean {
  const { readyForQuery, _queryQueue: queue = [] } = client as unknown as {
    readyForQuery?: boolean;
    _queryQueue?: unknown[];
  };
  return readyForQuery !== true || queue.length > 0;
}
