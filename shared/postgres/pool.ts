import type pg from 'pg';
import type { ConnectionLimits } from '../configuration/runtime.ts';
import { OperationError } from '../errors.ts';
import {
  closeConnection,
  comingToRest,
  isAtRest,
  noticeBrokenConnections,
  type PooledConnection,
  pooledConnection,
} from './pooled-connection.ts';

export interface PoolOptions {
  /** Opens a connection; `connect` with a target. */
  open: () => Promise<pg.Client>;
  /** `pool_size` connections are kept, `pool_overflow` more are lent under load and closed when given back. */
  limits: Pick<ConnectionLimits, 'pool_size' | 'pool_overflow' | 'pool_timeout_seconds' | 'pool_recycle_seconds'>;
}

export interface Lease {
  client: pg.Client;
  /**
   * Gives the connection back. It is closed instead with `discard`, or when it is broken, still busy a moment later, or in a
   * transaction. Resolves when the pool has it; never rejects.
   */
  release(options?: { discard?: boolean }): Promise<void>;
}

export interface PoolState {
  open: number;
  idle: number;
  busy: number;
  waiting: number;
}

export interface Pool {
  /** @throws OperationError `pool_timeout`, `pool_closed`, or why no connection could be opened */
  acquire(): Promise<Lease>;
  /** Lends a connection for the time of `work`. A transaction that `work` leaves open is lost with its connection. */
  use<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result>;
  state(): PoolState;
  /** Lends no more, waits up to `limitMs` for what is lent, then closes everything. */
  close(limitMs?: number): Promise<void>;
}

/** Idle connections older than this, in milliseconds, are closed: AWS's networks silently drop flows after 350 s. */
const IDLE_LIMIT_MS = 300_000;

/**
 * A pool of connections. The driver's own knows no overflow, hands out a connection whose end has not been noticed yet, and
 * takes one back inside a transaction; this one replaces such connections.
 */
export function createPool({ open, limits }: PoolOptions): Pool {
  const most = limits.pool_size + limits.pool_overflow;
  /** The last one used is the first one lent, so that those not needed grow old. */
  const idle: PooledConnection[] = [];
  const busy = new Set<PooledConnection>();
  const waiting: (() => void)[] = [];
  const goodbyes = new Set<Promise<void>>();
  let opening = 0;
  let closed = false;

  const total = (): number => idle.length + busy.size + opening;
  const wakeNext = (): void => waiting.shift()?.();
  const discard = (connection: PooledConnection): void => {
    const goodbye = closeConnection(connection).finally(() => goodbyes.delete(goodbye));
    goodbyes.add(goodbye);
    wakeNext();
  };
  const onBroken = (connection: PooledConnection): void => {
    const index = idle.indexOf(connection);
    if (index < 0) return;
    idle.splice(index, 1);
    wakeNext();
  };
  const isWorn = ({ openedAt, idleSince }: PooledConnection, now: number): boolean =>
    now - openedAt >= limits.pool_recycle_seconds * 1000 || now - idleSince >= IDLE_LIMIT_MS;
  const takeIdle = (): PooledConnection | undefined => {
    for (let connection = idle.pop(); connection; connection = idle.pop()) {
      if (!isWorn(connection, performance.now()) && isAtRest(connection)) return connection;
      discard(connection);
    }
    return undefined;
  };

  const openOne = async (): Promise<PooledConnection> => {
    opening += 1;
    try {
      return pooledConnection(await open(), onBroken);
    } catch (error) {
      // The place is free again: the next one in line may have more luck.
      queueMicrotask(wakeNext);
      throw error;
    } finally {
      opening -= 1;
    }
  };
  const wait = (deadline: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const wake = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(
        () => {
          waiting.splice(waiting.indexOf(wake), 1);
          reject(timeout());
        },
        Math.max(0, deadline - performance.now()),
      );
      waiting.push(wake);
    });
  const timeout = (): OperationError =>
    new OperationError(
      'pool_timeout',
      `All ${most} connections were in use for ${limits.pool_timeout_seconds} s (${waiting.length} more requests wait)`,
      'Try again; if it persists, raise pool_size or pool_overflow, or look for long statements.',
    );
  const assertOpen = (): void => {
    if (closed) throw new OperationError('pool_closed', 'The connection pool is closed', 'Try again.');
  };

  const takeBack = (connection: PooledConnection, unwanted: boolean): void => {
    if (!busy.delete(connection)) return;
    const now = performance.now();
    connection.idleSince = now;
    const surplus = total() >= limits.pool_size && waiting.length === 0;
    const keep = !closed && !unwanted && !surplus && !isWorn(connection, now) && isAtRest(connection);
    if (keep) {
      idle.push(connection);
      wakeNext();
    } else discard(connection);
  };
  const lease = (connection: PooledConnection): Lease => {
    busy.add(connection);
    let released = false;
    return {
      client: connection.client,
      async release({ discard: unwanted = false } = {}) {
        if (released) return;
        released = true;
        if (!unwanted) await comingToRest(connection);
        takeBack(connection, unwanted);
      },
    };
  };

  const acquire = async (): Promise<Lease> => {
    assertOpen();
    const deadline = performance.now() + limits.pool_timeout_seconds * 1000;
    if (idle.length > 0) await noticeBrokenConnections();
    for (;;) {
      assertOpen();
      const connection = takeIdle();
      if (connection) return lease(connection);
      if (total() < most) break;
      await wait(deadline);
    }
    const connection = await openOne();
    if (!closed) return lease(connection);
    discard(connection);
    throw new OperationError('pool_closed', 'The connection pool was closed', 'Try again.');
  };

  return {
    acquire,
    async use(work) {
      const { client, release } = await acquire();
      try {
        return await work(client);
      } finally {
        await release();
      }
    },
    state: () => ({ open: idle.length + busy.size, idle: idle.length, busy: busy.size, waiting: waiting.length }),
    async close(limitMs = 5000) {
      closed = true;
      for (const wake of waiting.splice(0)) wake();
      for (const connection of idle.splice(0)) discard(connection);
      const deadline = performance.now() + limitMs;
      while (busy.size + opening > 0 && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      for (const connection of busy) discard(connection);
      busy.clear();
      await Promise.all(goodbyes);
    },
  };
}

const pools = new Map<string, Pool>();

/**
 * The pool of a key (a database's id), made on first use and kept for as long as the process lives: across the warm
 * invocations of a function.
 */
export function poolFor(key: string, create: () => Pool): Pool {
  const known = pools.get(key);
  if (known) return known;
  const pool = create();
  pools.set(key, pool);
  return pool;
}

/** Closes every kept pool; for a process that is about to end. */
export async function closePools(limitMs?: number): Promise<void> {
  const open = [...pools.values()];
  pools.clear();
  await Promise.all(open.map((pool) => pool.close(limitMs)));
}
