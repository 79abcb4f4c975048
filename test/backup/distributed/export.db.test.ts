import { CreateMultipartUploadCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  assertUnchanged,
  isSnapshotGone,
  lockTables,
  relaySnapshot,
  takeSnapshot,
} from '../../../shared/backup/export/snapshot.ts';
import { backupPrefix, MANIFEST } from '../../../shared/backup/layout.ts';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { listTables } from '../../../shared/backup/plan/plan.ts';
import { OperationError } from '../../../shared/errors.ts';
import { newBackupId } from '../../../shared/state/ids.ts';
import type { StateTable } from '../../../shared/state/table.ts';
import { createStateTable } from '../../state/support.ts';
import { beginComparison, databaseDifferences } from '../../support/compare/compare.ts';
import { contentDifferences } from '../../support/compare/content.ts';
import {
  anyServer,
  createScratchDatabase,
  forOneServer,
  type ScratchDatabase,
  targetFor,
  withClient,
} from '../../support/servers.ts';
import { type SlowProxy, startSlowProxy } from '../../support/slow-proxy.ts';
import { createAccounts, INVARIANT, invariantSql, startWriter } from '../../support/writer.ts';
import {
  APPLICATION,
  backUpDistributed,
  type DistributedOptions,
  type DistributedRun,
} from '../support/distributed.ts';
import { DATABASE_ID, useBackupHarness } from '../support/harness.ts';
import { witnessSnapshot } from '../support/snapshot-witness.ts';

/** Of each holder and lane. A holder stays for more than half of it, so that there is a relay every three seconds or so. */
const INVOCATION_MS = 9000;
/** So slow that the rows take a while, and with the slower one several rounds of three lanes. */
const BYTES_PER_SECOND = 700_000;
const FEWER_BYTES_PER_SECOND = 400_000;

const harness = useBackupHarness();
let table: StateTable;
let source: ScratchDatabase;
let slow: SlowProxy;
beforeAll(async () => {
  ({ table } = await createStateTable(harness.services));
  source = await createScratchDatabase(anyServer());
  await createAccounts(source);
  await ask(`
    CREATE TABLE "Odd.Name" AS SELECT n, repeat(md5(n::text), 20) AS text FROM generate_series(1, 20000) AS n;
    CREATE TABLE empty (n int);
    SELECT lo_from_bytea(0, convert_to(repeat('large', 10000), 'UTF8')) FROM generate_series(1, 3);`);
  slow = await startSlowProxy(source.server, BYTES_PER_SECOND);
});
afterEach(() => harness.services.faults.clear());
afterAll(async () => {
  await slow?.close();
  await source?.drop();
});

const ask = (sql: string, values: unknown[] = []) =>
  withClient(source.server, source.name, (client) => client.query(sql, values));

const backUp = (
  options: Partial<DistributedOptions> = {},
  target = source.target({ host: slow.host, port: slow.port }),
) => backUpDistributed(harness, table, target, { invocationMs: INVOCATION_MS, ...options });

const errorOf = ({ outcome }: DistributedRun) => (outcome.status === 'failed' ? outcome.error : null);

function manifestOf(run: DistributedRun): Manifest {
  expect(errorOf(run)).toBeNull();
  return (run.outcome as { result: Manifest }).result;
}

/** Sessions of the backup, and what they do. */
async function sessions(condition = 'true'): Promise<string[]> {
  const { rows } = await ask(
    `SELECT application_name FROM pg_stat_activity WHERE starts_with(application_name, $1) AND ${condition}`,
    [APPLICATION],
  );
  return rows.map(({ application_name }) => application_name);
}

/** Waits until lanes read rows. */
const reading = () =>
  expect
    .poll(() => sessions(`application_name LIKE '% lane %' AND query LIKE 'COPY%'`), { timeout: 120_000, interval: 20 })
    .not.toEqual([]);

/** Every object of the manifest is there once, and nothing else is. */
async function expectExact(manifest: Manifest): Promise<void> {
  const chunks = [...manifest.tables.flatMap((one) => one.chunks), ...manifest.large_objects.chunks];
  const objects = [MANIFEST, manifest.schema.path, ...chunks.map(({ path }) => path)];
  expect(new Set(objects).size).toBe(objects.length);
  const keys = await harness.keys(manifest);
  expect(keys.map((key) => key.slice(key.indexOf(manifest.id) + manifest.id.length + 1))).toEqual(objects.sort());
  expect(manifest.totals.objects).toBe(objects.length);
  await expectNothingOpen();
}

async function expectNothingOpen(): Promise<void> {
  await expect.poll(() => sessions(), { timeout: 10_000 }).toEqual([]);
  expect(await harness.unfinishedUploads()).toEqual([]);
}

/** What holds after a backup that failed: no session, no upload, no manifest. */
async function expectNoBackup({ id }: DistributedRun): Promise<void> {
  await expectNothingOpen();
  expect((await harness.keys({ id })).filter((key) => key.endsWith(MANIFEST))).toEqual([]);
}

test('a backup of many invocations is of one moment, whatever is written meanwhile', async () => {
  const writer = await startWriter(source);
  const witness = witnessSnapshot(source, () => writer.more(20));
  const { committed } = writer;
  const slower = await startSlowProxy(source.server, FEWER_BYTES_PER_SECOND);
  const { host, port } = slower;
  const run = await backUp({}, { ...witness.target, host, port }).finally(() => slower.close());
  const meanwhile = writer.committed - committed;
  await writer.stop();
  const manifest = manifestOf(run);
  const relays = run.state.generations - 1;
  process.stdout.write(
    `${relays} relays of the snapshot, ${[...run.lanes.values()].length} shares in ${run.state.rounds + 1} rounds, ${meanwhile} transactions committed meanwhile\n`,
  );
  expect(relays).toBeGreaterThanOrEqual(5);
  expect(run.state.rounds).toBeGreaterThanOrEqual(2);
  expect(meanwhile).toBeGreaterThan(20);
  await expectExact(manifest);

  const { rows } = await witness.client().query('SELECT pg_current_snapshot()::text AS transactions');
  expect(rows[0]).toEqual({ transactions: manifest.snapshot.transactions });
  const restored = await harness.restore(manifest, source.server);
  const client = await beginComparison(restored);
  expect(await contentDifferences(witness.client(), client)).toEqual([]);
  await Promise.all([client.end(), witness.client().end()]);
  await withClient(source.server, restored.name, async (plain) =>
    expect((await plain.query(invariantSql)).rows).toEqual([INVARIANT]),
  );

  // Its progress is the sum over the lanes, grows, and comes to what there was.
  const bytes = run.progress.map((one) => one.bytes.done);
  expect(bytes.length).toBeGreaterThan(5);
  expect(Math.max(...bytes)).toBe(manifest.totals.bytes);
  const { tables, rows: counted } = manifest.totals;
  expect(run.progress.at(-1)).toMatchObject({
    phase: 'finishing',
    tables: { done: tables, total: tables },
    rows: { done: counted, total: counted },
    seconds_left: null,
  });
  expect(run.progress.at(-2)).toMatchObject({ phase: 'data', tables: { total: tables } });
});

describe('a lane', () => {
  test('that dies is invoked again alone, and goes on from what it had stored', async () => {
    const id = newBackupId();
    const run = await backUp(
      {
        id,
        beforeLane: async ({ round, lane }, tries) => {
          if (round !== 1 || lane !== 1 || tries > 1) return;
          // What one that is killed in the middle of its uploads leaves.
          const path = {
            Bucket: harness.store.bucket,
            Key: `${backupPrefix(DATABASE_ID, id)}data/left.dead.copy.zst.enc`,
          };
          await harness.store.s3.send(new CreateMultipartUploadCommand(path));
          await harness.store.s3.send(new PutObjectCommand({ ...path, Body: 'half of a chunk' }));
          throw new Error('Runtime exited with error: signal: killed');
        },
      },
      source.target(),
    );
    const manifest = manifestOf(run);
    expect(run.lanes.get('1/1')).toBe(2);
    expect([...run.lanes].filter(([key, tries]) => key !== '1/1' && tries > 1)).toEqual([]);
    await expectExact(manifest);
  });

  test('that was taken for dead and works on writes nothing that counts twice', async () => {
    const run = await backUp({ twins: true, invocationMs: 20_000 }, source.target());
    const manifest = manifestOf(run);
    await expectExact(manifest);
    const restored = await harness.restore(manifest, source.server);
    expect(await databaseDifferences(source, restored)).toEqual([]);
  });

  test.each([
    ['S3 is slow', { service: 's3', operation: 'PutObject', status: 503, code: 'SlowDown' }],
    ['S3 fails', { service: 's3', operation: 'PutObject', status: 500, code: 'InternalError' }],
    ['KMS is throttled', { service: 'kms', operation: 'GenerateDataKey', status: 400, code: 'ThrottlingException' }],
  ] as const)('is tried again where %s', async (_, fault) => {
    const { faults } = harness.services;
    const id = newBackupId();
    const run = await backUp(
      {
        id,
        invocationMs: 20_000,
        settings: { lanes: 1 },
        // The fault is the lane's alone, lasts longer than the clients' own retries do, and is over when the lane is invoked again.
        beforeLane: async (_event, tries) => {
          if (tries > 1) return faults.clear();
          await expect
            .poll(() => harness.keys({ id }), { timeout: 120_000 })
            .toContainEqual(expect.stringContaining('/schema.json'));
          await faults.set({ ...fault, after: 6, times: Number.POSITIVE_INFINITY });
        },
      },
      source.target(),
    );
    await expectExact(manifestOf(run));
    expect(Math.max(...run.lanes.values())).toBe(2);
  });
});

describe('the snapshot', () => {
  const end = (track: string) =>
    ask('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
      `${APPLICATION} holder ${track}`,
    ]);

  test('outlives the session of one holder', async () => {
    const running = backUp();
    await reading();
    await end('a');
    const run = await running;
    expect(run.state.trouble).toMatchObject({ code: 'snapshot_lost' });
    await expectExact(manifestOf(run));
  });

  test('is lost with the sessions of both, and the backup ends cleanly and says so', async () => {
    const running = backUp();
    await reading();
    await ask(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '${APPLICATION} holder %'`,
    );
    const run = await running;
    expect(errorOf(run)).toMatchObject({ code: 'snapshot_lost', next_step: expect.stringMatching(/./) });
    expect(run.state).toMatchObject({ lost: true, ended: true });
    await expectNoBackup(run);
  });

  test('is not held at all where a table stays locked by another session', async () => {
    const other = await source.connect();
    await other.query('BEGIN; LOCK TABLE empty IN ACCESS EXCLUSIVE MODE');
    const target = source.target();
    const run = await backUp({}, { ...target, limits: { ...target.limits, lock_timeout_ms: 300 } });
    await other.end();
    expect(errorOf(run)).toMatchObject({ code: 'table_locked' });
    await expectNoBackup(run);
  });
});

test('a backup that is cancelled in the middle leaves nothing open', async () => {
  const stop = new AbortController();
  const running = backUp({ signal: stop.signal, id: newBackupId() });
  await reading();
  stop.abort(new OperationError('job_cancelled', 'The job was cancelled', 'Start a new one.'));
  const run = await running;
  expect(errorOf(run)).toMatchObject({ code: 'job_cancelled' });
  await expectNoBackup(run);
});

test('a chunk that no invocation can do is named', async () => {
  const run = await backUp({ settings: { chunk_bytes: 1_000_000_000 }, invocationMs: 8000 });
  expect(errorOf(run)).toMatchObject({
    code: 'chunk_too_large',
    message: expect.stringMatching(
      /^The table "public"\."\w+(\.\w+)?" has a chunk that takes longer than one invocation$/,
    ),
  });
  await expectNoBackup(run);
});

test('a backup takes fewer connections where the server has few, and says so', async () => {
  await ask(`ALTER DATABASE "${source.name}" CONNECTION LIMIT 14`);
  const run = await backUp({ invocationMs: 20_000 }, source.target());
  await ask(`ALTER DATABASE "${source.name}" CONNECTION LIMIT -1`);
  const { warnings } = manifestOf(run);
  expect(warnings).toEqual([
    expect.stringMatching(/used [12] lanes of 1 connections in place of 3 of 1: .* 1[1-4] free/),
  ]);
});

forOneServer((server) => {
  test('tells a snapshot that is gone from other failures', async () => {
    const target = targetFor(server, 'postgres');
    const { id, holder } = await takeSnapshot(target);
    const joined = await relaySnapshot(target, id);
    await holder.end();
    await expect(relaySnapshot(target, id)).rejects.toSatisfy(isSnapshotGone);
    // Its successor has it still.
    const again = await relaySnapshot(target, joined.id);
    await Promise.all([again.holder.end(), joined.holder.end()]);
    expect(isSnapshotGone(new OperationError('database_unreachable', 'No snapshot', ''))).toBe(false);
  });

  test.each([
    ['truncated', 'TRUNCATE kept'],
    ['rewritten', 'ALTER TABLE kept ALTER n TYPE bigint'],
    ['dropped', 'DROP TABLE kept'],
  ])('refuses a table that was %s between the snapshot and its locks', async (_, sql) => {
    const database = await createScratchDatabase(server);
    const client = await database.connect();
    await client.query('CREATE TABLE kept AS SELECT 1 AS n');
    const { holder } = await takeSnapshot(database.target());
    const { tables } = await listTables(holder);
    await assertUnchanged(holder, tables);
    await client.query(sql);
    await expect(assertUnchanged(holder, tables)).rejects.toMatchObject({
      code: 'table_changed',
      message: expect.stringContaining('"public"."kept"'),
    });
    await expect(lockTables(holder, tables)).rejects.toMatchObject({ code: 'table_changed' });
    await holder.end();
    await database.drop();
  });
});
