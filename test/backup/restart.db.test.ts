import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StateTable } from '../../shared/state/table.ts';
import { type OwnServer, ownServer, PASSWORD } from '../postgres/support/own-server.ts';
import { createStateTable } from '../state/support.ts';
import { databaseDifferences } from '../support/compare/compare.ts';
import { plainSession } from '../support/plain-session.ts';
import { anyBinaries } from '../support/postgres-binaries.ts';
import { databaseOf, type TestServer } from '../support/servers.ts';
import { useBackupHarness } from './support/harness.ts';
import { holdRows, type JobRuns, jobRuns } from './support/jobs.ts';

let own: OwnServer;
let server: TestServer;
let table: StateTable;
let run: JobRuns;
let close: () => void;
// The last of all ends: what the harness has restored is dropped before.
afterAll(() => own?.remove());
const harness = useBackupHarness();
beforeAll(async () => {
  const binaries = await anyBinaries();
  own = await ownServer(binaries, {
    // Room for some hundred locks.
    max_locks_per_transaction: '20',
    max_connections: '12',
    max_worker_processes: '0',
    max_wal_senders: '0',
  });
  const { version } = binaries;
  server = { label: 'own', version, host: '127.0.0.1', port: own.port, user: 'postgres', password: PASSWORD };
  const client = await plainSession(own.target());
  await client.query('CREATE DATABASE shop');
  await client.end();
  const shop = await plainSession(own.target({ database: 'shop' }));
  await shop.query(`CREATE TABLE item AS SELECT n, repeat(md5(n::text), 30) AS text FROM generate_series(1, 10000) AS n;
    CREATE TABLE other AS TABLE item`);
  await shop.end();
  const state = await createStateTable(harness.services);
  table = state.table;
  close = () => state.client.destroy();
  run = jobRuns(harness, table);
});
afterAll(() => close?.());

/** In the first attempt the server goes down while rows are under way; it is up again before the second. */
function restartDuring(commands: readonly string[]) {
  let attempts = 0;
  let stopped: Promise<void> | undefined;
  return {
    get attempts() {
      return attempts;
    },
    onAttempt: async (): Promise<void> => {
      attempts += 1;
      if (attempts > 1) return;
      const hold = holdRows(harness.store.s3, commands);
      stopped = hold.reached.then(() => own.stop()).finally(hold.letGo);
    },
    onWait: async (): Promise<void> => {
      await stopped;
      await own.start();
    },
    stopped: () => stopped,
  };
}

test('a backup survives a restart of its server: the next attempt takes it anew, of one moment', async () => {
  const restart = restartDuring(['PutObjectCommand', 'CreateMultipartUploadCommand']);
  const { job, backup } = await run.backUp(own.target({ database: 'shop' }), restart);
  expect([job.status, job.error, restart.attempts]).toEqual(['succeeded', null, 2]);
  expect(backup).toMatchObject({ status: 'available', rows: 20_000 });
  expect(await harness.keys(backup)).toHaveLength(backup.objects ?? 0);
  expect(await harness.unfinishedUploads()).toEqual([]);

  const during = restartDuring(['GetObjectCommand']);
  const restored = await run.restore(backup.id, server, { target: own.target(), ...during });
  expect([restored.job.status, restored.job.error, during.attempts]).toEqual(['succeeded', null, 2]);
  expect(await databaseDifferences(databaseOf(server, 'shop'), databaseOf(server, restored.name))).toEqual([]);
});

test('a server that stays down ends the job in words, and nothing is stored', async () => {
  const restart = restartDuring(['PutObjectCommand', 'CreateMultipartUploadCommand']);
  const { job, backup } = await run.backUp(own.target({ database: 'shop' }), { onAttempt: restart.onAttempt });
  await restart.stopped();
  await own.start();
  expect(job).toMatchObject({ status: 'failed', error: { code: 'database_unreachable' } });
  expect([...(await harness.keys(backup)), ...(await harness.unfinishedUploads())]).toEqual([]);
});

test('a server without room for a lock on each table is named as such', async () => {
  const client = await plainSession(own.target());
  await client.query('CREATE DATABASE many');
  await client.end();
  const many = await plainSession(own.target({ database: 'many' }));
  for (let batch = 0; batch < 40; batch++) {
    await many.query(`DO $$ BEGIN
      FOR n IN 1..50 LOOP EXECUTE format('CREATE TABLE batch_${batch}_%s (n int)', n); END LOOP;
    END $$`);
  }
  await many.end();
  const { job, backup, steps } = await run.backUp(own.target({ database: 'many' }));
  expect(job).toMatchObject({ status: 'failed', error: { code: 'too_many_locks' } });
  expect(steps).toEqual(['register', 'export-1', 'record']);
  expect([...(await harness.keys(backup)), ...(await harness.unfinishedUploads())]).toEqual([]);
});
