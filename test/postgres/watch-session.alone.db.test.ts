import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect } from '../../shared/postgres/connect.ts';
import { copyIn } from '../../shared/postgres/copy/copy-in.ts';
import { copyOut } from '../../shared/postgres/copy/copy-out.ts';
import { isSessionLost } from '../../shared/postgres/session-errors.ts';
import { anyServer, targetFor, withClient } from '../support/servers.ts';
import { startTcpProxy, type TcpProxy, type Weather } from '../support/tcp-proxy.ts';

const server = anyServer();
const APPLICATION = 'dbms watch test';
let network: TcpProxy;
beforeEach(async () => {
  network = await startTcpProxy(server.port);
});
afterEach(() => network.close());

const target = (silenceMs = 200) => {
  const own = targetFor(server, 'postgres', { port: network.port, silenceMs, applicationName: APPLICATION });
  return { ...own, limits: { ...own.limits, connect_timeout_ms: 300 } };
};
const never = new AbortController().signal;
const sessions = () =>
  withClient(server, 'postgres', async (client) => {
    const { rows } = await client.query<{ query: string }>(
      'SELECT query FROM pg_stat_activity WHERE application_name = $1',
      [APPLICATION],
    );
    return rows.map(({ query }) => query);
  });
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'succeeded',
    (error: unknown) => error,
  );
/** More than fits between a server and a client that does not read. */
const MANY_ROWS = `COPY (SELECT repeat('x', 1000) FROM generate_series(1, 100000)) TO STDOUT`;

describe.each<[string, Weather]>([
  ['to the server is cut', { silent: 'all' }],
  ['has forgotten the connection', { silent: 'existing' }],
])('when the network %s, without a word', (_, weather) => {
  test.each<[string, (client: Awaited<ReturnType<typeof connect>>) => Promise<unknown>]>([
    ['a statement that never arrived', (client) => client.query('SELECT 1')],
    [
      'a COPY to the client',
      (client) => copyOut(client, MANY_ROWS, () => Promise.resolve(network.set(weather)), { signal: never }),
    ],
    [
      'a COPY to the server',
      async (client) => {
        const row = Buffer.from(`${'x'.repeat(1_000_000)}\n`);
        async function* rows() {
          for (let block = 0; block < 200; block++) yield row;
        }
        await client.query('CREATE TEMPORARY TABLE taken (text text)');
        const copying = copyIn(client, 'COPY taken FROM STDIN', rows(), never);
        await setTimeout(20);
        network.set(weather);
        return copying;
      },
    ],
  ])('%s fails as a lost session', async (what, use) => {
    const client = await connect(target());
    if (what.startsWith('a statement')) network.set(weather);
    const failure = await failureOf(use(client));
    expect(failure).toSatisfy(isSessionLost);
    await client.end();
    // Where the server can be reached it is told as well, and keeps no lock for somebody who has gone.
    if (weather.silent === 'existing') await expect.poll(sessions, { timeout: 10_000 }).toEqual([]);
  });
});

test('the network is asked about a connection at rest before those between forget it', async () => {
  const client = await connect(target());
  const { connection } = client as unknown as { connection: { stream: Socket } };
  const port = connection.stream.localPort?.toString(16).toUpperCase().padStart(4, '0');
  // Linux alone tells: 02 is the keep-alive timer, followed by when it is due, in hundredths of a second.
  if (process.platform === 'linux') {
    const line = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .find((one) => one.includes(`0100007F:${port} 0100007F`));
    const [, timer = '', due = ''] =
      / (\d\d):([0-9A-F]{8}) /.exec(line?.replace(/[0-9A-F]{8}:[0-9A-F]{8}/, '') ?? '') ?? [];
    expect(timer).toBe('02');
    expect(Number.parseInt(due, 16)).toBeLessThanOrEqual(30_00);
  }
  await client.end();
});

test('a goodbye that nobody answers is not waited for', async () => {
  const client = await connect(target(60_000));
  network.set({ silent: 'all' });
  await client.end();
});

describe('what only takes long is left alone:', () => {
  test('a statement that is at work', async () => {
    const client = await connect(target(50));
    const { connections } = network;
    await client.query('SELECT pg_sleep(1)');
    expect(network.connections).toBeGreaterThan(connections);
    await client.end();
  });

  test('one that waits for a lock', async () => {
    const client = await connect(target(50));
    const { connections } = network;
    await withClient(server, 'postgres', async (holder) => {
      await holder.query('SELECT pg_advisory_lock(4711)');
      const waiting = client.query('SELECT pg_advisory_lock(4711)');
      await expect.poll(() => network.connections - connections).toBeGreaterThan(2);
      await holder.query('SELECT pg_advisory_unlock(4711)');
      await waiting;
    });
    await client.end();
  });

  test('a COPY whose rows the client does not take yet', async () => {
    const client = await connect(target(50));
    const { connections } = network;
    let blocks = 0;
    const consume = async (): Promise<void> => {
      blocks += 1;
      if (blocks === 3) await expect.poll(() => network.connections - connections).toBeGreaterThan(3);
    };
    expect(await copyOut(client, MANY_ROWS, consume, { signal: never })).toBe(100_000);
    await client.end();
  });

  test('a COPY whose rows do not come yet', async () => {
    const client = await connect(target(50));
    const { connections } = network;
    await client.query('CREATE TEMPORARY TABLE taken (text text)');
    async function* rows() {
      yield Buffer.from('one\n');
      await expect.poll(() => network.connections - connections).toBeGreaterThan(3);
      yield Buffer.from('two\n');
    }
    expect(await copyIn(client, 'COPY taken FROM STDIN', rows(), never)).toBe(2);
    await client.end();
  });

  test('a connection in a transaction that asks nothing', async () => {
    const client = await connect(target(50));
    await client.query('BEGIN');
    const { connections } = network;
    await setTimeout(500);
    expect(network.connections).toBe(connections);
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  test('a network that is slow', async () => {
    network.set({ bytesPerSecond: 4_000_000 });
    const client = await connect(target(100));
    const sql = `COPY (SELECT repeat('x', 1000) FROM generate_series(1, 4000)) TO STDOUT`;
    expect(await copyOut(client, sql, () => Promise.resolve(), { signal: never })).toBe(4000);
    await client.end();
  });
});
