import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { anyServer, createScratchDatabase, type ScratchDatabase, withClient } from '../support/servers.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { accepted, call, endOf, eventually, getJob, startBackup, startRestore, uniqueName } from './support/api.ts';
import { managed, startTestSystem, type TestSystem } from './support/system.ts';

/** So short that what is under way when the configuration changes takes several invocations. */
const INVOCATION_SECONDS = 30;
/** For each connection: in general, and for what is under way when the configuration changes. */
const FAST_BYTES_PER_SECOND = 20_000_000;
const BYTES_PER_SECOND = 200_000;
const ROWS = 240_000;

let source: ScratchDatabase;
let slow: SlowProxy;
let system: TestSystem;
beforeAll(async () => {
  const server = anyServer();
  source = await createScratchDatabase(server);
  await withClient(server, source.name, async (client) => {
    // Each small table takes a chunk of its own, which together are more than one invocation is thought to do.
    await client.query(`DO $$ BEGIN
      FOR n IN 1..85 LOOP EXECUTE format('CREATE TABLE small_%s AS SELECT %s AS n', n, n); END LOOP;
    END $$`);
    await client.query(
      `CREATE TABLE big AS SELECT n, md5('a' || n) || md5('b' || n) || md5('c' || n) AS text FROM generate_series(1, ${ROWS}) AS n`,
    );
  });
  slow = await startSlowProxy(server, FAST_BYTES_PER_SECOND, true);
  system = await startTestSystem({
    databases: [{ ...managed(server, 'shop', source.name), host: slow.host, port: slow.port }],
    deployment: {
      invocation_seconds: INVOCATION_SECONDS,
      backups: { chunk_bytes: 1_048_576, connections: 1, lanes: 2 },
    },
    schedules: false,
  });
});
afterAll(async () => {
  await system?.end();
  await slow?.close();
  await source?.drop();
});

const executionOf = (job: string) => system.current.lambda.durable.all().find(({ start }) => start.name === job);
const functionOf = (name: string) => system.current.lambda.functions().find((each) => each.name === name);
const invocation = z.object({ InvocationCompletedDetails: z.object({ StartTimestamp: z.number() }) });
/** Invocations of a job's function that began after a time, and have ended. */
const invocationsAfter = (job: string, time: number) =>
  (executionOf(job)?.events ?? []).filter((event) => {
    const { data } = invocation.safeParse(event);
    return data !== undefined && data.InvocationCompletedDetails.StartTimestamp * 1000 > time;
  }).length;
const operationsAfter = (job: string, time: number) =>
  [...(executionOf(job)?.operations.values() ?? [])].filter(({ StartTimestamp }) => StartTimestamp > time);
const begunAfter = (job: string, time: number) => operationsAfter(job, time).map(({ Name }) => Name ?? '');
/** The functions that a job invoked after a time, with their qualifiers. */
const calledAfter = (job: string, time: number) =>
  operationsAfter(job, time).flatMap(({ Type, service }) =>
    Type === 'CHAINED_INVOKE' ? [service?.invoke?.functionName.split(':').slice(-2).join(':')] : [],
  );
const runningWith = (job: string) => executionOf(job)?.start.functionArn.split(':').at(-1);

test('a long backup and a long restore finish although the configuration is deployed anew in their middle', async () => {
  const first = await startBackup(system.current, 'shop');
  // Beforehand, as on a busy machine it takes longer than the jobs.
  const [changed, { error }] = await Promise.all([
    system.current.synthesizeChanged({ alert_emails: ['somebody-else@example.com'] }),
    endOf(system.current, first.id),
  ]);
  expect(error).toBeNull();

  slow.setPace(BYTES_PER_SECOND);
  const target = uniqueName('restored');
  const backup = await startBackup(system.current, 'shop');
  const restore = await startRestore(system.current, { database: 'shop', backup: first.backup_id ?? '', target });
  for (const { id } of [backup, restore]) {
    await eventually(
      () => getJob(system.current, id),
      ({ progress }) => progress?.phase === 'data' && (progress.rows?.done ?? 0) > 0,
    );
  }
  await system.current.redeploy(changed);
  const redeployed = Date.now();
  expect((await getJob(system.current, backup.id)).status).toBe('running');
  expect((await getJob(system.current, restore.id)).status).toBe('running');
  for (const name of ['dbms-backup', 'dbms-restore', 'dbms-export-lane', 'dbms-snapshot-holder'])
    expect([...(functionOf(name)?.versions.keys() ?? [])], name).toEqual(['1', '2']);
  expect(functionOf('dbms-backup')?.qualifiers.get('live')).toBe('2');

  // Each goes on in an invocation that begins after the change; when that has ended, they need not be slow any more.
  for (const [{ id }, step] of [
    [backup, 'lane-'],
    [restore, 'restore-'],
  ] as const) {
    await eventually(
      () => begunAfter(id, redeployed),
      (names) =>
        (names.some((name) => name.startsWith(step)) && invocationsAfter(id, redeployed) > 0) ||
        executionOf(id)?.end !== null,
    );
  }
  slow.setPace(FAST_BYTES_PER_SECOND);
  for (const { id } of [backup, restore]) {
    const { status, error } = await endOf(system.current, id);
    expect([status, error]).toEqual(['succeeded', null]);
    expect(runningWith(id)).toBe('1');
    expect(invocationsAfter(id, redeployed)).toBeGreaterThan(0);
  }
  const called = calledAfter(backup.id, redeployed);
  expect(called).toContain('dbms-export-lane:1');
  expect(called.filter((name) => !name?.endsWith(':1'))).toEqual([]);
  await withClient(source.server, target, async (client) => {
    expect((await client.query('SELECT count(*)::int AS rows FROM big')).rows).toEqual([{ rows: ROWS }]);
    expect((await client.query('SELECT n FROM small_60')).rows).toEqual([{ n: 60 }]);
  });
  await withClient(source.server, 'postgres', (client) => client.query(`DROP DATABASE "${target}" WITH (FORCE)`));

  // What begins now, begins with what is deployed now.
  const after = accepted(await call(system.current, '/backups?database=shop', { body: { backup_type: 'schema' } }));
  expect((await endOf(system.current, after.id)).status).toBe('succeeded');
  expect(runningWith(after.id)).toBe('2');
});

test('the versions that executions may still need are not pruned', async () => {
  const { outcome } = await system.current.lambda.invoke({ functionName: 'dbms-prune-versions', payload: '{}' });
  expect(outcome.ok && JSON.parse(outcome.payload)).toEqual({ deleted: {}, in_use: {}, left: 14, failed: [] });
});
