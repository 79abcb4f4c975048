import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Fault } from '../../local/aws/faults.ts';
import { backupPrefix, MANIFEST } from '../../shared/backup/layout.ts';
import { rebuildCatalog } from '../../shared/backup/rebuild-catalog.ts';
import { expireBackups } from '../../shared/backup/retention/expire.ts';
import { failJob } from '../../shared/jobs/end.ts';
import { startBackup } from '../../shared/jobs/start.ts';
import { createBackupCatalog } from '../../shared/state/backups.ts';
import { newBackupId } from '../../shared/state/ids.ts';
import { createJobStore } from '../../shared/state/jobs.ts';
import type { StateTable } from '../../shared/state/table.ts';
import { clientOptions } from '../local/aws/support.ts';
import { createStateTable } from '../state/support.ts';
import { anyServer, createScratchDatabase, databaseOf, type ScratchDatabase, withClient } from '../support/servers.ts';
import { policyOf } from './retention/support.ts';
import { DATABASE_ID, useBackupHarness } from './support/harness.ts';
import { type JobRuns, jobRuns } from './support/jobs.ts';
import { rowsOf } from './support/same-rows.ts';

const harness = useBackupHarness();
const server = anyServer();
let source: ScratchDatabase;
let table: StateTable;
let run: JobRuns;
let close: () => void;
/** A backup that was taken when nothing was wrong. */
let sound: string;
beforeAll(async () => {
  source = await createScratchDatabase(server);
  // Some hundred kilobytes that hardly compress, and one object of more than one part.
  await withClient(server, source.name, (client) =>
    client.query(`
      CREATE TABLE item AS SELECT n, md5(n::text) AS text FROM generate_series(1, 1000) AS n;
      CREATE TABLE large AS SELECT n, (SELECT string_agg(md5((n * 1000 + m)::text), '') FROM generate_series(1, 300) AS m) AS text
        FROM generate_series(1, 1200) AS n`),
  );
  const state = await createStateTable(harness.services);
  table = state.table;
  close = () => state.client.destroy();
  run = jobRuns(harness, table);
  sound = (await run.backUp(source.target(), { settings: WHOLE })).backup.id;
});
afterEach(() => harness.services.faults.clear());
afterAll(async () => {
  close?.();
  await source?.drop();
});

/** One object for each table, so that a part of an upload is one part of several. */
const WHOLE = { chunk_bytes: 134_217_728 };

const s3 = { service: 's3', status: 503, code: 'SlowDown' } as const;
const s3Error = { service: 's3', status: 500, code: 'InternalError' } as const;
const throttled = { service: 'kms', status: 400, code: 'ThrottlingException' } as const;
const internal = { service: 'kms', status: 500, code: 'KMSInternalException' } as const;
const table5xx = { service: 'dynamodb', status: 500, code: 'InternalServerError' } as const;
const tableThrottled = { service: 'dynamodb', status: 400, code: 'ThrottlingException' } as const;
const set = (fault: Omit<Fault, 'times'>, times: number) => harness.services.faults.set({ ...fault, times });
const named = <F extends Omit<Fault, 'times'>>(faults: readonly F[]) =>
  faults.map((fault) => [`${fault.service} ${fault.operation} ${fault.code}`, fault] as const);

async function expectSameRows({ name }: { name: string }): Promise<void> {
  const tables = ['item', 'large'];
  expect(await rowsOf(server, name, tables)).toEqual(await rowsOf(server, source.name, tables));
}

async function expectNothingStored(backup: string): Promise<void> {
  expect([...(await harness.keys({ id: backup })), ...(await harness.unfinishedUploads())]).toEqual([]);
}

describe('a fault that passes costs a backup nothing:', () => {
  test.each(
    named([
      { ...s3, operation: 'UploadPart' },
      { ...s3Error, operation: 'CreateMultipartUpload' },
      { ...s3Error, operation: 'CompleteMultipartUpload' },
      { ...s3, operation: 'PutObject' },
      { ...throttled, operation: 'GenerateDataKey' },
      { ...internal, operation: 'GenerateDataKey' },
      { ...tableThrottled, operation: 'UpdateItem' },
      { ...tableThrottled, operation: 'TransactWriteItems' },
      { ...table5xx, operation: 'GetItem' },
    ]),
  )('%s', async (_, fault) => {
    await set(fault, 1);
    const { job, backup, steps } = await run.backUp(source.target(), { settings: WHOLE });
    expect([job.status, backup.status, backup.rows]).toEqual(['succeeded', 'available', 2200]);
    expect(steps).toEqual(['register', 'export-1', 'record']);
    expect(await harness.keys(backup)).toHaveLength(backup.objects ?? 0);
    expect(await harness.unfinishedUploads()).toEqual([]);
  });
});

describe('a fault that lasts ends a backup after three attempts, with nothing stored:', () => {
  test.each([
    ...named([{ ...s3Error, operation: 'UploadPart' }]).map((each) => [...each, 'store_failed'] as const),
    ...named([{ ...s3Error, operation: 'PutObject' }]).map((each) => [...each, 'store_failed'] as const),
    ...named([{ ...internal, operation: 'GenerateDataKey' }]).map((each) => [...each, 'key_unavailable'] as const),
  ])('%s', async (_, fault, code) => {
    await set(fault, Number.POSITIVE_INFINITY);
    const { job, backup, steps } = await run.backUp(source.target(), { settings: WHOLE });
    expect([job.status, job.error?.code, backup.status]).toEqual(['failed', code, 'failed']);
    expect(job.error?.message).toContain(fault.code);
    expect(job.error?.message).not.toContain('node_modules');
    expect(steps.filter((name) => !name.includes('wait'))).toEqual([
      'register',
      'export-1',
      'export-2',
      'export-3',
      'record',
    ]);
    await expectNothingStored(backup.id);
  });

  test('the next attempt succeeds when it is over by then', async () => {
    await set({ ...internal, operation: 'GenerateDataKey' }, Number.POSITIVE_INFINITY);
    const { job, backup } = await run.backUp(source.target(), { onWait: harness.services.faults.clear });
    expect([job.status, job.error, backup.status]).toEqual(['succeeded', null, 'available']);
    expect(await harness.keys(backup)).toHaveLength(backup.objects ?? 0);
  });
});

describe('a fault that passes costs a restore nothing:', () => {
  test.each(
    named([
      { ...s3, operation: 'GetObject' },
      { ...s3Error, operation: 'GetObject' },
      { ...throttled, operation: 'Decrypt' },
      { ...tableThrottled, operation: 'UpdateItem' },
    ]),
  )('%s', async (_, fault) => {
    await set({ ...fault, after: 1 }, 1);
    const { job, name, steps } = await run.restore(sound, server);
    expect([job.status, steps]).toEqual(['succeeded', ['start', 'restore-1', 'record']]);
    const restored = databaseOf(server, name);
    await expectSameRows(restored);
    await restored.drop();
  });
});

describe('a fault that lasts', () => {
  test.each([
    ...named([{ ...s3Error, operation: 'GetObject' }]).map((each) => [...each, 'store_failed'] as const),
    ...named([{ ...internal, operation: 'Decrypt' }]).map((each) => [...each, 'key_unavailable'] as const),
  ])('ends a restore in words, which keeps what it has done: %s', async (_, fault, code) => {
    await set({ ...fault, after: 3 }, Number.POSITIVE_INFINITY);
    const { job, backup } = await run.restore(sound, server);
    expect([job.status, job.error?.code, backup.status]).toEqual(['failed', code, 'available']);
    const { rows } = await withClient(server, 'postgres', (client) =>
      client.query<{ datname: string }>("SELECT datname FROM pg_database WHERE datname LIKE '%restor%'"),
    );
    expect(rows.map(({ datname }) => datname)).toEqual([job.unfinished?.database]);
    await databaseOf(server, job.unfinished?.database ?? '').drop();
  });

  test('in the State table leaves a backup that is done listed once the table answers again', async () => {
    let waits = 0;
    const { job, backup, steps } = await run.backUp(source.target(), {
      // No progress can be reported from now on.
      onAttempt: () => set({ ...table5xx, operation: 'UpdateItem' }, Number.POSITIVE_INFINITY),
      onWait: () => {
        waits += 1;
        return waits === 2 ? harness.services.faults.clear() : undefined;
      },
    });
    expect(steps).toEqual(['register', 'export-1', 'record', 'record-wait-1', 'record-2', 'record-wait-2', 'record-3']);
    expect([job.status, backup.status, backup.rows]).toEqual(['succeeded', 'available', 2200]);
  });

  test('in the State table lets no job begin, and none is half begun', async () => {
    await set({ ...table5xx, operation: 'TransactWriteItems' }, Number.POSITIVE_INFINITY);
    const started: unknown[] = [];
    const start = startBackup(
      { table, startFunction: async (event) => void started.push(event) },
      { database: 'unlucky', requestedBy: 'alice', backupType: 'full', customName: null },
    );
    await expect(start).rejects.toMatchObject({ name: 'InternalServerError' });
    expect(started).toEqual([]);
    expect((await createJobStore(table).list({ database: 'unlucky', limit: 10 })).items).toEqual([]);
    expect(await createBackupCatalog(table).entries('unlucky')).toEqual([]);
  });
});

test('a backup whose job was given up meanwhile is not listed as available, though it is complete', async () => {
  const error = { code: 'execution_stopped', message: 'It was stopped', next_step: 'Start it again.' };
  let given = '';
  const job = run.backUp(source.target(), {
    onAttempt: async () => {
      const [running] = (await createBackupCatalog(table).entries(DATABASE_ID)).filter(
        ({ backup }) => backup.status === 'running',
      );
      given = running?.backup.id ?? '';
      await failJob(table, running?.backup.job_id ?? '', error);
    },
  });
  await expect(job).rejects.toThrow('not running');
  const backup = await createBackupCatalog(table).get(given);
  expect([backup.status, backup.error]).toEqual(['failed', 'It was stopped']);
  expect(await createJobStore(table).get(backup.job_id)).toMatchObject({ status: 'failed', error });
});

describe.each([
  ['ahead', 50],
  ['behind', -50],
])('a clock that is hours %s', (_, hours) => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test('is corrected by what S3 says, and no backup goes before its time', async () => {
    const client = new S3Client({ ...clientOptions(harness.services.endpoints.s3), maxAttempts: 3 });
    const store = { ...harness.store, s3: client };
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + hours * 3_600_000 });
    const { job, backup } = await run.backUp(source.target(), { store });
    expect([job.status, job.error]).toEqual(['succeeded', null]);
    const policy = policyOf({ days: 1 });
    const { signal } = new AbortController();
    const report = await expireBackups(DATABASE_ID, { s3: client, bucket: store.bucket, table, policy, signal });
    expect(report.removed).toEqual([]);
    const { stored_at } = await createBackupCatalog(table).get(backup.id);
    const restored = await harness.restore(backup, server, { store });
    vi.useRealTimers();
    client.destroy();
    expect(Math.abs(Date.parse(stored_at ?? '') - Date.now())).toBeLessThan(600_000);
    await expectSameRows(restored);
    await restored.drop();
  });
});

test('a bucket full of what others put there hinders neither backups nor restores nor the catalog', async () => {
  const { s3: client, bucket: Bucket } = harness.store;
  const own = `databases/${DATABASE_ID}/backups/`;
  const [garbage, folder] = [newBackupId(), newBackupId()];
  const keys = [
    'databases/',
    'databases/notes.txt',
    own,
    `${own}bkp-notes/${MANIFEST}`,
    `${backupPrefix(DATABASE_ID, garbage)}${MANIFEST}`,
    `${backupPrefix(DATABASE_ID, folder)}data/other.txt`,
    `${backupPrefix(DATABASE_ID, sound)}data/other.txt`,
    ...Array.from({ length: 50 }, (_, n) => `${own}bkp-${n}/x`),
  ];
  await Promise.all(keys.map((Key) => client.send(new PutObjectCommand({ Bucket, Key, Body: 'not ours' }))));
  const { job, backup } = await run.backUp(source.target());
  expect(job.status).toBe('succeeded');
  const { signal } = new AbortController();
  const report = await rebuildCatalog(DATABASE_ID, { store: harness.store, table, signal });
  expect(report).toMatchObject({ done: true, added: [], incomplete: 1 });
  expect(report.unreadable.map(({ id }) => id)).toEqual([garbage]);
  for (const id of [sound, backup.id]) {
    const restored = await harness.restore({ id }, server);
    await expectSameRows(restored);
    await restored.drop();
  }
});
