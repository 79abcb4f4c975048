import { afterAll, beforeAll, expect, test } from 'vitest';
import { anyServer, createScratchDatabase, type ScratchDatabase, withClient } from '../support/servers.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { createAccounts, INVARIANT, invariantSql, startWriter } from '../support/writer.ts';
import { call, endOf, eventually, getBackup, getJob, startBackup, startRestore, uniqueName } from './support/api.ts';
import { managed, openBucket, sessionsOn, startTestSystem, type TestSystem } from './support/system.ts';

/** Of the functions that back up; so short that a backup of a minute takes many of them. */
const INVOCATION_SECONDS = 20;
/** For each connection. */
const BYTES_PER_SECOND = 400_000;

/** Small tables: each takes a chunk of its own, which together are more than one invocation is thought to do. */
const smallTables = `
DO $$ BEGIN
  FOR n IN 1..60 LOOP
    EXECUTE format('CREATE TABLE small_%s AS SELECT %s AS n', n, n);
  END LOOP;
END $$`;

let source: ScratchDatabase;
let slow: SlowProxy;
let system: TestSystem;
let bucket: Awaited<ReturnType<typeof openBucket>>;
beforeAll(async () => {
  const server = anyServer();
  source = await createScratchDatabase(server);
  await createAccounts(source);
  await withClient(server, source.name, async (client) => {
    await client.query(smallTables);
    await client.query(
      `CREATE TABLE big AS SELECT n, md5('a' || n) || md5('b' || n) || md5('c' || n) AS text FROM generate_series(1, 180000) AS n`,
    );
  });
  slow = await startSlowProxy(server, BYTES_PER_SECOND);
  system = await startTestSystem({
    databases: [{ ...managed(server, 'shop', source.name), host: slow.host, port: slow.port }],
    deployment: {
      invocation_seconds: INVOCATION_SECONDS,
      backups: { chunk_bytes: 1_048_576, connections: 1, lanes: 2 },
    },
    schedules: false,
  });
  bucket = await openBucket(system.current);
});
afterAll(async () => {
  await system?.end();
  await slow?.close();
  await source?.drop();
});

/** What Lambda recorded of a job's execution. */
const executionOf = (job: string) => system.current.lambda.durable.all().find(({ start }) => start.name === job);
const invocationsOf = (job: string, name: string) =>
  [...(executionOf(job)?.operations.values() ?? [])].filter(
    (operation) => operation.Type === 'CHAINED_INVOKE' && operation.Name?.startsWith(name),
  );

async function expectNothingOpen(): Promise<void> {
  await eventually(
    () => sessionsOn(source.server),
    (sessions) => sessions.length === 0,
  );
  expect(await bucket.unfinishedUploads()).toEqual([]);
}

test('a backup of many invocations outlives the death of its lanes, and is of one moment', async () => {
  const writer = await startWriter(source);
  const job = await startBackup(system.current, 'shop');
  const backup = job.backup_id ?? '';
  // In the middle of an upload of the lanes' own.
  await eventually(
    async () => (await bucket.keys(backup)).filter((key) => /\/data\/public\.big/.test(key)).length,
    (count) => count > 0,
  );
  await system.current.lambda.kill('dbms-export-lane');
  const { status, error, warnings } = await endOf(system.current, job.id);
  await writer.stop();
  expect([status, error]).toEqual(['succeeded', null]);
  expect(warnings).toEqual([]);

  const holders = invocationsOf(job.id, 'holder-');
  const lanes = invocationsOf(job.id, 'lane-');
  const operations = executionOf(job.id)?.operations.size ?? 0;
  process.stdout.write(
    `${holders.length - 1} relays of the snapshot, ${lanes.length} invocations of lanes, ${operations} durable operations\n`,
  );
  expect(holders.length - 1).toBeGreaterThanOrEqual(5);
  const died = lanes.filter(({ Status }) => Status === 'FAILED').map(({ Name }) => Name);
  expect(died.length).toBeGreaterThan(0);
  // Each was invoked again alone, for the same share.
  const names = lanes.map(({ Name }) => Name);
  for (const name of died) expect(names).toContain(name?.replace(/-1$/, '-2'));

  const { objects, tables } = await getBackup(system.current, backup);
  expect(tables).toBe(64);
  expect(await bucket.keys(backup)).toHaveLength(objects ?? 0);
  await expectNothingOpen();

  const target = uniqueName('restored');
  const restore = await startRestore(system.current, { database: 'shop', backup, target });
  expect((await endOf(system.current, restore.id)).status).toBe('succeeded');
  await withClient(source.server, target, async (client) => {
    expect((await client.query(invariantSql)).rows).toEqual([INVARIANT]);
    expect((await client.query('SELECT count(*)::int AS rows FROM big')).rows).toEqual([{ rows: 180_000 }]);
  });
  await withClient(source.server, 'postgres', (client) => client.query(`DROP DATABASE "${target}" WITH (FORCE)`));
});

test('one whose holders die begins anew, and can be cancelled in the middle', async () => {
  const job = await startBackup(system.current, 'shop');
  const reading = async (name: string) =>
    (await sessionsOn(source.server)).filter(({ application }) => application.includes(name)).length;
  await eventually(
    () => reading(' lane '),
    (count) => count > 0,
  );
  await system.current.lambda.kill('dbms-snapshot-holder');
  await eventually(
    () => [...(executionOf(job.id)?.operations.values() ?? [])].map(({ Name }) => Name),
    (names) => names.includes('distributed-2-plan'),
  );
  await eventually(
    () => reading(' lane '),
    (count) => count > 0,
  );
  expect((await getJob(system.current, job.id)).progress).toMatchObject({
    phase: expect.stringMatching(/data|snapshot/),
  });
  const { status } = await call(system.current, `/jobs/${job.id}/cancel`, { method: 'POST' });
  expect(status).toBe(202);
  expect((await endOf(system.current, job.id)).status).toBe('cancelled');
  await expectNothingOpen();
  expect(await bucket.keys(job.backup_id ?? '')).toEqual([]);
  expect((await getBackup(system.current, job.backup_id ?? '')).status).toBe('failed');
});
