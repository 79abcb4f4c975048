import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ConnectionTarget, connect } from '../../shared/postgres/connect.ts';
import { closePools, createPool, type Pool, type PoolOptions, poolFor } from '../../shared/postgres/pool.ts';
import { anyBinaries } from '../support/postgres-binaries.ts';
import { type OwnServer, ownServer, PASSWORD } from './support/own-server.ts';

let server: OwnServer;
let observer: pg.Client;
const pools: Pool[] = [];

beforeAll(async () => {
  server = await ownServer(await anyBinaries());
  observer = await connect(server.target({ applicationName: 'observer' }));
});
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close(0))));
afterAll(async () => {
  await observer?.end();
  await server?.remove();
});

function pool(limits: Partial<PoolOptions['limits']> = {}, changes: Partial<ConnectionTarget> = {}): Pool {
  const target = server.target({ applicationName: 'pooled', ...changes });
  const made = createPool({ open: () => connect(target), limits: { ...target.limits, ...limits } });
  pools.push(made);
  return made;
}

const pidOf = async (client: pg.Client): Promise<number> =>
  (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
const sessions = async (): Promise<number> =>
  (await observer.query(`SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'pooled'`)).rows[0].n;
/** Waits until it is gone, which the server itself does from 14 on only. */
const terminate = async (pid: number) => {
  await observer.query('SELECT pg_terminate_backend($1)', [pid]);
  const isThere = async () =>
    (await observer.query('SELECT FROM pg_stat_activity WHERE pid = $1', [pid])).rowCount !== 0;
  await expect.poll(isThere, { timeout: 5000, interval: 5 }).toBe(false);
};

describe('lending', () => {
  test('a connection is used again, its successor gets the same one', async () => {
    const one = pool();
    const first = await one.use(pidOf);
    expect(await one.use(pidOf)).toBe(first);
    expect(one.state()).toEqual({ open: 1, idle: 1, busy: 0, waiting: 0 });
  });

  test('connections beyond the size are lent and then closed; beyond the overflow one waits', async () => {
    const some = pool({ pool_size: 2, pool_overflow: 1 });
    const leases = await Promise.all([some.acquire(), some.acquire(), some.acquire()]);
    const pids = await Promise.all(leases.map(({ client }) => pidOf(client)));
    expect(new Set(pids).size).toBe(3);
    const waiting = some.use(pidOf);
    await expect.poll(() => some.state()).toEqual({ open: 3, idle: 0, busy: 3, waiting: 1 });
    await leases[1]?.release();
    expect(await waiting).toBe(pids[1]);
    await leases[0]?.release();
    await leases[2]?.release();
    expect(some.state()).toMatchObject({ open: 2, idle: 2 });
    await expect.poll(sessions).toBe(2);
  });

  test('those who wait are served in their order', async () => {
    const single = pool({ pool_size: 1, pool_overflow: 0 });
    const served: number[] = [];
    await Promise.all([1, 2, 3, 4, 5].map((number) => single.use(async () => served.push(number))));
    expect(served).toEqual([1, 2, 3, 4, 5]);
    expect(single.state()).toEqual({ open: 1, idle: 1, busy: 0, waiting: 0 });
  });

  test('many borrowers share a few connections', async () => {
    const few = pool({ pool_size: 2, pool_overflow: 2 });
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        few.use(async (client) => (await client.query('SELECT $1::int AS i', [i])).rows[0].i),
      ),
    );
    expect(results).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(few.state().open).toBeLessThanOrEqual(2);
  });

  test('waiting has an end, in words', async () => {
    const single = pool({ pool_size: 1, pool_overflow: 0, pool_timeout_seconds: 0.05 });
    const lease = await single.acquire();
    await expect(single.acquire()).rejects.toMatchObject({
      code: 'pool_timeout',
      message: expect.stringContaining('All 1 connections'),
    });
    expect(single.state().waiting).toBe(0);
    await lease.release();
    await lease.release();
    expect(await single.use(async () => 'served')).toBe('served');
    expect(single.state()).toEqual({ open: 1, idle: 1, busy: 0, waiting: 0 });
  });

  test('a connection is replaced when its time is over', async () => {
    const short = pool({ pool_recycle_seconds: 0.001 });
    const first = await short.use(async (client) => {
      await client.query('SELECT pg_sleep(0.01)');
      return pidOf(client);
    });
    expect(await short.use(pidOf)).not.toBe(first);
  });
});

describe('a connection is never lent again', () => {
  test('when it ended while idle', async () => {
    const one = pool();
    const first = await one.use(pidOf);
    await terminate(first);
    expect(await one.use(pidOf)).not.toBe(first);
    await expect.poll(() => one.state().open).toBe(1);
  });

  test('when it ended unnoticed, as while a function was frozen', async () => {
    const one = pool();
    const first = await one.use(pidOf);
    const terminated = observer.query(`SELECT pg_terminate_backend(${first})`);
    // The event loop stands still while the end of the connection arrives.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    expect(await one.use(pidOf)).not.toBe(first);
    await terminated;
  });

  test('when it ended in use', async () => {
    const one = pool();
    let first = 0;
    const work = one.use(async (client) => {
      first = await pidOf(client);
      await Promise.all([client.query('SELECT pg_sleep(10)'), terminate(first)]);
    });
    await expect(work).rejects.toMatchObject({ code: '57P01' });
    expect(one.state()).toMatchObject({ idle: 0, busy: 0 });
    expect(await one.use(pidOf)).not.toBe(first);
  });

  test.each([
    ['an open transaction', 'BEGIN'],
    ['a failed transaction', 'BEGIN; SELECT 1/0'],
  ])('with %s', async (_state, sql) => {
    const one = pool();
    const first = await one.use(async (client) => {
      const pid = await pidOf(client);
      await client.query(sql).catch(() => undefined);
      return pid;
    });
    expect(await one.use(pidOf)).not.toBe(first);
    await expect.poll(sessions).toBe(1);
  });

  test('with a statement still running', async () => {
    const one = pool();
    let first = 0;
    await one.use(async (client) => {
      first = await pidOf(client);
      client.query('SELECT pg_sleep(10)').catch(() => undefined);
    });
    expect(await one.use(pidOf)).not.toBe(first);
    await terminate(first);
  });

  test('when the borrower says so', async () => {
    const one = pool();
    const lease = await one.acquire();
    const first = await pidOf(lease.client);
    await lease.release({ discard: true });
    expect(await one.use(pidOf)).not.toBe(first);
  });

  test('but a refused statement alone leaves it good', async () => {
    const one = pool();
    const first = await one.use(pidOf);
    await expect(one.use((client) => client.query('SELECT 1/0'))).rejects.toMatchObject({ code: '22012' });
    expect(await one.use(pidOf)).toBe(first);
  });
});

describe('the server', () => {
  test('may restart: callers fail while it is away and are served again after', async () => {
    const some = pool({ pool_size: 2 });
    const before = await Promise.all([some.use(pidOf), some.use(pidOf)]);
    await observer.end();
    await server.stop();
    await expect(some.use(pidOf)).rejects.toMatchObject({ code: 'database_unreachable' });
    expect(some.state()).toMatchObject({ open: 0, waiting: 0 });
    await server.start();
    observer = await connect(server.target({ applicationName: 'observer' }));
    expect(before).not.toContain(await some.use(pidOf));
  });

  test('may refuse the one that opens: those who wait still get their turn', async () => {
    let opened = 0;
    const flaky = createPool({
      open: () =>
        ++opened === 1 ? Promise.reject(new Error('refused')) : connect(server.target({ applicationName: 'pooled' })),
      limits: { pool_size: 1, pool_overflow: 0, pool_timeout_seconds: 5, pool_recycle_seconds: 60 },
    });
    pools.push(flaky);
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => flaky.use(pidOf)));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(flaky.state().waiting).toBe(0);
  });

  test('may have a new password: it is read once more, and a wrong one stays refused', async () => {
    await observer.query(`CREATE ROLE rotated LOGIN PASSWORD 'new'`);
    const asked: unknown[] = [];
    const rotating = pool(
      {},
      {
        credentials: async ({ refused } = {}) => {
          asked.push(refused?.password);
          return { user: 'rotated', password: refused ? 'new' : 'old' };
        },
      },
    );
    await rotating.use(pidOf);
    expect(asked).toEqual([undefined, 'old']);
    const wrong = pool({}, { credentials: async () => ({ user: 'rotated', password: `not ${PASSWORD}` }) });
    await expect(wrong.use(pidOf)).rejects.toMatchObject({
      code: 'login_refused',
      message: expect.not.stringContaining(PASSWORD),
    });
  });
});

describe('closing', () => {
  test('waits for what is lent, and turns others away', async () => {
    const some = pool({ pool_size: 1, pool_overflow: 0 });
    const lease = await some.acquire();
    const waiting = expect(some.acquire()).rejects.toMatchObject({ code: 'pool_closed' });
    const closing = some.close();
    await waiting;
    await expect(some.use(pidOf)).rejects.toMatchObject({ code: 'pool_closed' });
    expect(await pidOf(lease.client)).toBeGreaterThan(0);
    await lease.release();
    await closing;
    await expect.poll(sessions).toBe(0);
  });

  test('does not wait longer than its limit', async () => {
    const some = pool();
    const lease = await some.acquire();
    const endless = lease.client.query('SELECT pg_sleep(100)').catch((error: Error) => error);
    await some.close(20);
    expect(await endless).toBeInstanceOf(Error);
  });

  test('kept pools are found by their key until they are closed', async () => {
    const kept = poolFor('shop', () => pool());
    expect(poolFor('shop', () => pool())).toBe(kept);
    await kept.use(pidOf);
    await closePools();
    await expect(kept.use(pidOf)).rejects.toMatchObject({ code: 'pool_closed' });
    expect(poolFor('shop', () => pool())).not.toBe(kept);
    await closePools();
  });
});
