import { afterAll, beforeAll, expect, test } from 'vitest';
import { anyServer, createScratchDatabase, type ScratchDatabase, withClient } from '../support/servers.ts';
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.ts';
import { accepted, call, endOf, eventually, getJob, startBackup } from './support/api.ts';
import { managed, startTestSystem, type TestSystem } from './support/system.ts';

/** Of a new AWS account. */
const QUOTA = 10;
const INVOCATION_SECONDS = 40;
const BYTES_PER_SECOND = 300_000;

let source: ScratchDatabase;
let slow: SlowProxy;
let system: TestSystem;
beforeAll(async () => {
  const server = anyServer();
  source = await createScratchDatabase(server);
  await withClient(server, source.name, async (client) => {
    await client.query(`DO $$ BEGIN
      FOR n IN 1..130 LOOP EXECUTE format('CREATE TABLE small_%s AS SELECT %s AS n', n, n); END LOOP;
    END $$`);
    await client.query(
      `CREATE TABLE big AS SELECT n, md5('a' || n) || md5('b' || n) || md5('c' || n) AS text FROM generate_series(1, 80000) AS n`,
    );
  });
  slow = await startSlowProxy(server, BYTES_PER_SECOND);
  system = await startTestSystem({
    accountConcurrency: QUOTA,
    databases: [
      { ...managed(server, 'shop', source.name), host: slow.host, port: slow.port },
      { ...managed(server, 'ledger', source.name), host: slow.host, port: slow.port },
    ],
    deployment: {
      invocation_seconds: INVOCATION_SECONDS,
      // As many as the account could not bear.
      backups: { chunk_bytes: 1_048_576, connections: 1, lanes: 16 },
    },
    schedules: false,
  });
});
afterAll(async () => {
  await system?.end();
  await slow?.close();
  await source?.drop();
});

test('the API and the sampler keep answering while large backups use all that an account of ten allows', async () => {
  const { lambda } = system.current;
  const large = [await startBackup(system.current, 'shop'), await startBackup(system.current, 'ledger')];
  // Whose function starts first is open.
  for (const { id } of large) {
    await eventually(
      () => getJob(system.current, id),
      ({ status }) => status !== 'queued',
    );
  }
  // More jobs than may run: they wait for their turn.
  const schema = { body: { backup_type: 'schema' } };
  const small = [
    accepted(await call(system.current, '/backups?database=shop', schema)),
    accepted(await call(system.current, '/backups?database=ledger', schema)),
  ];
  await eventually(
    () => lambda.durable.all().flatMap(({ operations }) => [...operations.values()]),
    (operations) => operations.some(({ Name, Status }) => Name?.startsWith('lane-') && Status === 'STARTED'),
  );

  const answers: number[] = [];
  const samples: boolean[] = [];
  const states = new Set<string>();
  let isOver = false;
  const sampling = (async () => {
    while (!isOver) {
      const { outcome } = await lambda.invoke({ functionName: 'dbms-sample-health', payload: '{}' });
      samples.push(outcome.ok);
    }
  })();
  for (const started = Date.now(); Date.now() - started < 15_000; ) {
    const [health, jobs] = await Promise.all([
      call(system.current, '/health?database=shop', { as: 'viewer' }),
      call(system.current, '/jobs?database=ledger', { as: 'viewer' }),
    ]);
    answers.push(health.status, jobs.status);
    for (const { id } of small) states.add((await getJob(system.current, id)).status);
  }
  isOver = true;
  await sampling;
  expect(new Set(answers)).toEqual(new Set([200]));
  expect(samples.length).toBeGreaterThan(0);
  expect(samples.every(Boolean)).toBe(true);
  // Only two jobs run at the same time.
  expect([...states]).toContain('queued');

  for (const { id } of [...large, ...small]) {
    const { status, error } = await endOf(system.current, id);
    expect([status, error]).toEqual(['succeeded', null]);
  }
  const { most, throttled } = lambda.concurrency.usage();
  process.stdout.write(`At most ${most} of ${QUOTA} executions at the same time, ${answers.length} answers\n`);
  expect(most).toBeLessThanOrEqual(QUOTA);
  expect([...throttled]).toEqual([]);
});
