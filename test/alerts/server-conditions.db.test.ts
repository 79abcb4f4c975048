import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Watcher } from '../../shared/health/watch-database.ts';
import { type ConnectionTarget, connect } from '../../shared/postgres/connect.ts';
import { certificate, certificateUntil } from '../postgres/support/localhost-certificate.ts';
import { type OwnServer, ownServer } from '../postgres/support/own-server.ts';
import { embeddedBinaries } from '../support/postgres-binaries.ts';
import { courseOf } from './support/course.ts';
import { startWatched, type Watched } from './support/watched.ts';

/** Conditions of a whole server, made in one of their own. */
let watched: Watched;
let server: OwnServer;
let target: ConnectionTarget;
let watcher: Watcher;
const soon = certificateUntil(new Date(Date.now() + 10 * 86_400_000));

beforeAll(async () => {
  watched = await startWatched();
  server = await ownServer(await embeddedBinaries(), { max_slot_wal_keep_size: '64MB' });
  target = server.target({ applicationName: 'dbms sample' });
  watcher = watched.watcher(target);
});
afterAll(async () => {
  await watcher?.close();
  await server?.remove();
  await watched?.close();
});

async function run(...statements: [sql: string, values?: unknown[]][]): Promise<void> {
  const client = await connect(target);
  for (const [sql, values] of statements) await client.query(sql, values);
  await client.end();
}

/** Shows another certificate, whose key is the same, to those who connect from now on. */
async function showCertificate(pem: string): Promise<void> {
  const before = new Date();
  await run(
    ['SELECT lo_from_bytea(4711, $1)', [Buffer.from(pem)]],
    ["SELECT lo_export(4711, 'server.crt')"],
    ['SELECT lo_unlink(4711)'],
    ['SELECT pg_reload_conf()'],
  );
  for (let isLoaded = false; !isLoaded; await setTimeout(20)) {
    const client = await connect(target);
    const { rows } = await client.query('SELECT pg_conf_load_time() >= $1 AS loaded', [before]);
    isLoaded = rows[0].loaded;
    await client.end();
  }
}

test('a certificate that ends soon', async () => {
  // Each trusts the one it is shown alone: it signs itself.
  const [first, last] = [soon, certificate].map((ca) =>
    watched.watcher(
      server.target({ host: 'localhost', tls: { mode: 'verify-full', ca }, applicationName: 'dbms sample' }),
    ),
  ) as [Watcher, Watcher];
  await courseOf(
    { watched, first, last },
    {
      check: 'certificate',
      levels: { WARNING: 30, ERROR: 14 },
      async make() {
        await showCertificate(soon);
        return () => showCertificate(certificate);
      },
    },
  );
  await first.close();
  await last.close();
});

/** A segment of 16 MB is full. */
const fillSegment: [string][] = [["SELECT pg_logical_emit_message(false, 'test', 'x')"], ['SELECT pg_switch_wal()']];

test('a slot that is about to be lost, however little is kept for it, and one that is', async () => {
  const drop = () => run(["SELECT pg_drop_replication_slot('gone')"]);
  await courseOf(
    { watched, first: watcher },
    {
      check: 'slot_loss',
      levels: { WARNING: 0.5, ERROR: 0.7 },
      detail: 'gone',
      async make() {
        await run(["SELECT pg_create_physical_replication_slot('gone', true)"]);
        for (let segments = 0; segments < 4; segments++) await run(...fillSegment);
        return drop;
      },
    },
  );
  await run(["SELECT pg_create_physical_replication_slot('gone', true)"]);
  for (let segments = 0; segments < 6; segments++) await run(...fillSegment);
  await run(['CHECKPOINT']);
  const state = await watcher.sample();
  expect(state?.latest?.values).toMatchObject({ slot_wal_usage: 1, slots: 1 });
  await drop();
});

test('a replica that lags, seen from itself', async () => {
  const standby = await server.standby();
  const there = standby.target({ applicationName: 'dbms sample' });
  const replica = watched.watcher(there);
  const client = await connect(there);
  const isReplayed = async () =>
    (await client.query('SELECT pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AS is')).rows[0].is;
  const write = () => run(['CREATE TABLE replayed (n int)'], ['DROP TABLE replayed']);
  await write();
  while (!(await isReplayed())) await setTimeout(20);
  await courseOf(
    { watched, first: replica },
    {
      check: 'replication_lag',
      levels: { WARNING: 0.3 },
      async make() {
        await client.query('SELECT pg_wal_replay_pause()');
        await write();
        while (await isReplayed()) await setTimeout(20);
        await setTimeout(400);
        return async () => {
          await client.query('SELECT pg_wal_replay_resume()');
          while (!(await isReplayed())) await setTimeout(20);
        };
      },
    },
  );
  await client.end();
  await replica.close();
  await standby.remove();
});

test('a server that is down, and up again', () =>
  courseOf(
    { watched, first: watcher },
    {
      check: 'availability',
      levels: { CRITICAL: 1 },
      async make() {
        await server.stop();
        return () => server.start();
      },
    },
  ));
