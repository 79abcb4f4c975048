import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { StateTable } from '../../shared/state/table.ts';
import { clientOptions } from '../local/aws/support.ts';
import { createStateTable } from '../state/support.ts';
import {
  anyServer,
  createScratchDatabase,
  databaseOf,
  type ScratchDatabase,
  targetFor,
  withClient,
} from '../support/servers.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { useBackupHarness } from './support/harness.ts';
import { type JobRuns, jobRuns } from './support/jobs.ts';
import { rowsOf } from './support/same-rows.ts';

const harness = useBackupHarness();
const server = anyServer();
const APPLICATION = 'dbms network test';
let source: ScratchDatabase;
let table: StateTable;
let run: JobRuns;
let close: () => void;
let sound: string;
let network: TcpProxy;
beforeAll(async () => {
  source = await createScratchDatabase(server);
  // 10 MB of rows, and an index, a key and a view that are made after them.
  await withClient(server, source.name, (client) =>
    client.query(`
      CREATE TABLE item AS SELECT n, repeat(md5(n::text), 30) AS text FROM generate_series(1, 10000) AS n;
      ALTER TABLE item ADD PRIMARY KEY (n); CREATE INDEX ON item (md5(text));
      CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM item`),
  );
  const state = await createStateTable(harness.services);
  table = state.table;
  close = () => state.client.destroy();
  run = jobRuns(harness, table);
  sound = (await run.backUp(source.target())).backup.id;
});
afterAll(async () => {
  close?.();
  await source?.drop();
});
beforeEach(async () => {
  network = await startTcpProxy(server.port);
});
afterEach(() => network.close());

/** The server, as it is reached through the network of the test. */
function through(database: string) {
  const own = targetFor(server, database, { port: network.port, silenceMs: 300, applicationName: APPLICATION });
  return { ...own, limits: { ...own.limits, connect_timeout_ms: 500 } };
}

async function expectSameRows({ name }: { name: string }): Promise<void> {
  const tables = ['item', 'counted'];
  expect(await rowsOf(server, name, tables)).toEqual(await rowsOf(server, source.name, tables));
}

const sessions = () =>
  withClient(server, 'postgres', async (client) => {
    const sql = 'SELECT query FROM pg_stat_activity WHERE application_name = $1';
    return (await client.query<{ query: string }>(sql, [APPLICATION])).rows.map(({ query }) => query);
  });

/** Does something once the job has brought some bytes over the network, or sent some. */
async function onceUnderWay(underWay: () => Promise<boolean> | boolean, act: () => void): Promise<void> {
  await expect.poll(underWay, { timeout: 120_000, interval: 5 }).toBe(true);
  act();
}

const faults: [string, (once: boolean) => void][] = [
  ['is cut', () => network.cut()],
  ['loses everything and says nothing', () => network.set({ silent: 'all' })],
  ['forgets its connections and says nothing', () => network.set({ silent: 'existing' })],
];
/** The network is whole again; what the far side still holds is closed, as its own keep-alive would in the end. */
const heal = (): void => {
  network.set({});
  network.cut();
};

describe.each(faults)('a network that %s', (_, fault) => {
  test('ends the attempt of a backup, and the next one succeeds', async () => {
    let attempts = 0;
    const codes: (string | undefined)[] = [];
    const { job, backup } = await run.backUp(through(source.name), {
      onAttempt: async () => {
        attempts += 1;
        if (attempts > 1) return;
        const before = network.received;
        void onceUnderWay(
          () => network.received - before > 2_000_000,
          () => fault(true),
        );
      },
      onWait: async () => {
        codes.push('waited');
        // Nothing of the attempt is left.
        expect(await harness.unfinishedUploads()).toEqual([]);
        heal();
      },
    });
    expect([job.status, job.error, attempts]).toEqual(['succeeded', null, 2]);
    expect(codes).toEqual(['waited']);
    expect(await harness.keys(backup)).toHaveLength(backup.objects ?? 0);
    expect(await harness.unfinishedUploads()).toEqual([]);
    await expect.poll(sessions, { timeout: 10_000 }).toEqual([]);
    const restored = await harness.restore(backup, server);
    await expectSameRows(restored);
    await restored.drop();
  });

  test('ends the attempt of a restore, and the next one goes on', async () => {
    let attempts = 0;
    const { job, name } = await run.restore(sound, server, {
      name: `restored_over_network_${Date.now()}`,
      target: through('postgres'),
      onAttempt: async () => {
        attempts += 1;
        if (attempts > 1) return;
        void onceUnderWay(
          async () => (await sessions()).some((query) => query.startsWith('COPY')),
          () => fault(true),
        );
      },
      onWait: heal,
    });
    expect([job.status, job.error, attempts]).toEqual(['succeeded', null, 2]);
    const restored = databaseOf(server, name);
    await expectSameRows(restored);
    await restored.drop();
  });
});

test('a network that stays silent ends a backup and a restore in words, and leaves nothing open', async () => {
  network.set({ silent: 'all' });
  const backup = await run.backUp(through(source.name));
  expect(backup.job).toMatchObject({ status: 'failed', error: { code: 'database_unreachable' } });
  const restore = await run.restore(sound, server, { target: through('postgres') });
  expect(restore.job).toMatchObject({ status: 'failed', error: { code: 'database_unreachable' }, unfinished: null });
});

test('over a slow network a backup and a restore take longer, and succeed', async () => {
  network.set({ bytesPerSecond: 6_000_000 });
  const { job, backup, steps } = await run.backUp(through(source.name));
  expect([job.status, steps]).toEqual(['succeeded', ['register', 'export-1', 'record']]);
  const restored = await run.restore(backup.id, server, { target: through('postgres') });
  expect([restored.job.status, restored.steps]).toEqual(['succeeded', ['start', 'restore-1', 'record']]);
  await expectSameRows(restored);
  await databaseOf(server, restored.name).drop();
});

test('a connection to S3 that breaks off in the middle of an object is taken up where it was', async () => {
  const way = await startTcpProxy(Number(new URL(harness.services.endpoints.s3).port));
  const s3 = new S3Client({ ...clientOptions(`http://127.0.0.1:${way.port}`), maxAttempts: 3 });
  // Slow enough that many objects are in the middle when it breaks.
  way.set({ bytesPerSecond: 3_000_000 });
  let cuts = 0;
  const breaking = setInterval(() => {
    cuts += 1;
    way.cut();
  }, 100);
  const restored = await harness
    .restore({ id: sound }, server, { store: { ...harness.store, s3 } })
    .finally(() => clearInterval(breaking));
  expect(cuts).toBeGreaterThan(2);
  await expectSameRows(restored);
  await restored.drop();
  s3.destroy();
  await way.close();
});
