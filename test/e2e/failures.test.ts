import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../shared/contract/schemas/job.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase, type TestServer } from '../support/servers.ts';
import {
  call,
  endOf,
  eventually,
  getBackup,
  getJob,
  listBackups,
  problemOf,
  startBackup,
  startRestore,
  uniqueName,
} from './support/api.ts';
import { managed, openBucket, sessionsOn, startTestSystem, type TestSystem } from './support/system.ts';

/** About 25 MB of text that hardly compresses: several parts of an upload. */
const big = `
CREATE TABLE big AS
SELECT n, md5('a' || n) || md5('b' || n) || md5('c' || n) || md5('d' || n) AS text
FROM generate_series(1, 190000) AS n`;

let server: TestServer;
let shop: ScratchDatabase;
let warehouse: ScratchDatabase;
let system: TestSystem;
let bucket: Awaited<ReturnType<typeof openBucket>>;
/** Takes all its attempts, with the waits between them, while the other tests run. */
let unreachable: Job;

beforeAll(async () => {
  server = anyServer();
  shop = await createScratchDatabase(server);
  warehouse = await createScratchDatabase(server);
  for (const [database, sql] of [
    [shop, 'CREATE TABLE item AS SELECT generate_series(1, 100) AS n; CREATE TABLE other AS TABLE item'],
    [warehouse, big],
  ] as const) {
    const client = await database.connect();
    await client.query(sql);
  }
  system = await startTestSystem({
    databases: [
      managed(server, 'shop', shop.name),
      managed(server, 'warehouse', warehouse.name),
      managed(server, 'rotated', shop.name),
      managed(server, 'gone', uniqueName('gone')),
      { ...managed(server, 'down', shop.name), port: 1 },
    ],
    schedules: false,
  });
  bucket = await openBucket(system.current);
  unreachable = await startBackup(system.current, 'down');
});
afterEach(() => system.current.services.faults.clear());
afterAll(async () => {
  await system?.end();
  await warehouse?.drop();
  await shop?.drop();
});

/** What holds after every backup that failed, whatever the cause. */
async function expectFailedBackup(job: Job, code: string): Promise<NonNullable<Job['error']>> {
  const ended = await endOf(system.current, job.id);
  expect(ended.status).toBe('failed');
  expect(ended.error).toMatchObject({ code });

  expect(ended.error?.next_step).toMatch(/\w+ \w+/);
  expect(ended.ended_at).not.toBeNull();

  const id = ended.backup_id ?? '';
  // The job is marked first, then the backup.
  const { status, error } = await eventually(
    () => getBackup(system.current, id),
    (backup) => backup.status !== 'running',
  );
  expect([status, error]).toEqual(['failed', ended.error?.message]);
  expect((await listBackups(system.current, job.database, '&status=failed')).map((one) => one.id)).toContain(id);
  expect((await listBackups(system.current, job.database, '&status=available')).map((one) => one.id)).not.toContain(id);
  const body = { backup_id: id, confirm: true, target_database: uniqueName('never') };
  const restore = await call(system.current, `/restore?database=${job.database}`, { body });
  expect(restore.status).toBe(409);
  expect(problemOf(restore).code).toBe('backup_not_available');
  await expectNothingLeft(id);
  return ended.error as NonNullable<Job['error']>;
}

async function expectNothingLeft(backup: string): Promise<void> {
  await eventually(
    async () => (await sessionsOn(server)).filter(({ application }) => application.includes(backup)),
    (sessions) => sessions.length === 0,
  );
  const inBucket = async () => [...(await bucket.keys(backup)), ...(await bucket.unfinishedUploads())];
  await eventually(inBucket, (left) => left.length === 0);
}

describe('a backup fails in words and leaves nothing', () => {
  test('when the server refuses the password, which was rotated without it', async () => {
    const { host, port, user } = server;
    const login = { engine: 'postgres', host, port, dbname: shop.name, username: user, password: 'no more' };
    await system.current.services.putSecret('databases/rotated', JSON.stringify(login));
    const error = await expectFailedBackup(await startBackup(system.current, 'rotated'), 'login_refused');
    expect(error.message).toContain('password authentication failed');
    expect(error.message).not.toContain('no more');
    // Rotated properly, it is found again without a restart.
    await system.current.services.putSecret(
      'databases/rotated',
      JSON.stringify({ ...login, password: server.password }),
    );
    const job = await startBackup(system.current, 'rotated');
    expect((await endOf(system.current, job.id)).status).toBe('succeeded');
  });

  test('when there is no such database on the server', async () => {
    const error = await expectFailedBackup(await startBackup(system.current, 'gone'), 'database_missing');
    expect(error.message).toContain('gone_');
  });

  test('when KMS refuses the key', async () => {
    await system.current.services.faults.set({
      service: 'kms',
      operation: 'GenerateDataKey',
      status: 400,
      code: 'AccessDeniedException',
      message: 'The function may not use the key',
      times: Number.POSITIVE_INFINITY,
    });
    const error = await expectFailedBackup(await startBackup(system.current, 'shop'), 'key_refused');
    expect(error.message).toContain('The function may not use the key');
  });

  test('when S3 refuses the parts of an upload', async () => {
    await system.current.services.faults.set({
      service: 's3',
      operation: 'UploadPart',
      status: 403,
      code: 'AccessDenied',
      after: 1,
      times: Number.POSITIVE_INFINITY,
    });
    const error = await expectFailedBackup(await startBackup(system.current, 'warehouse'), 'store_failed');
    expect(error.message).toContain('AccessDenied');
  });

  test('when the server cannot be reached', async () => {
    const error = await expectFailedBackup(unreachable, 'database_unreachable');
    expect(error.message).toMatch(/127\.0\.0\.1:1\b/);
  });

  test('when the bucket is gone', async () => {
    for (const Key of await bucket.keys(''))
      await bucket.s3.send(new DeleteObjectCommand({ Bucket: bucket.name, Key }));
    await bucket.s3.send(new DeleteBucketCommand({ Bucket: bucket.name }));
    const job = await startBackup(system.current, 'shop');
    await endOf(system.current, job.id);
    await bucket.s3.send(new CreateBucketCommand({ Bucket: bucket.name }));
    await expectFailedBackup(job, 'bucket_missing');
  });

  test('and a failed backup can be deleted', async () => {
    const [failed] = await listBackups(system.current, 'gone', '&status=failed');
    expect((await call(system.current, `/backups/${failed?.id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await call(system.current, `/backups/${failed?.id}`)).status).toBe(404);
  });
});

async function databaseNames(): Promise<string[]> {
  const client = await shop.connect();
  const { rows } = await client.query<{ datname: string }>('SELECT datname FROM pg_database ORDER BY 1');
  await client.end();
  return rows.map(({ datname }) => datname);
}

describe('a restore fails in words and leaves nothing', () => {
  test.each([
    ['KMS refuses the key', { service: 'kms', operation: 'Decrypt', code: 'AccessDeniedException' }, 'key_refused'],
    ['an object is gone', { service: 's3', operation: 'GetObject', code: 'NoSuchKey', after: 2 }, 'object_missing'],
  ] as const)('when %s', async (_, fault, code) => {
    const made = await endOf(system.current, (await startBackup(system.current, 'shop')).id);
    const before = await databaseNames();
    const status = fault.service === 's3' ? 404 : 400;
    await system.current.services.faults.set({ ...fault, status, times: Number.POSITIVE_INFINITY });
    const request = { database: 'shop', backup: made.backup_id ?? '', target: uniqueName('never') };
    const { status: end, error } = await endOf(system.current, (await startRestore(system.current, request)).id);
    expect([end, error?.code]).toEqual(['failed', code]);
    expect(error?.next_step).toMatch(/\w+ \w+/);
    expect(await databaseNames()).toEqual(before);
    expect((await getBackup(system.current, request.backup)).status).toBe('available');
  });
});

describe('a restore of a changed object fails before anything is offered', () => {
  const get = async (Key: string): Promise<Uint8Array> => {
    const { Body } = await bucket.s3.send(new GetObjectCommand({ Bucket: bucket.name, Key }));
    return (await Body?.transformToByteArray()) ?? new Uint8Array();
  };

  test.each<[string, string, (own: Uint8Array, other: Uint8Array) => Uint8Array]>([
    ['a byte changed', 'object_damaged', (own) => own.map((byte, at) => (at === own.length - 40 ? byte ^ 1 : byte))],
    ['the end cut off', 'object_damaged', (own) => own.subarray(0, own.length - 20)],
    ["another object's content", 'object_misplaced', (_, other) => other],
  ])('%s', async (_, code, change) => {
    const { backup_id } = await endOf(system.current, (await startBackup(system.current, 'shop')).id);
    const [own = '', other = ''] = (await bucket.keys(backup_id ?? '')).filter((key) => key.includes('/data/'));
    const Body = change(await get(own), await get(other));
    await bucket.s3.send(new PutObjectCommand({ Bucket: bucket.name, Key: own, Body }));
    const target = uniqueName('never');
    const job = await startRestore(system.current, { database: 'shop', backup: backup_id ?? '', target });
    const { status, error } = await endOf(system.current, job.id);
    expect([status, error?.code]).toEqual(['failed', code]);
    expect(error?.message).toContain(own.slice(own.indexOf('data/')));
    expect((await databaseNames()).filter((name) => name === target || /restor|stag/.test(name))).toEqual([]);
  });
});

describe('a job outlives', () => {
  test('the death of its function in the middle of an upload', async () => {
    const { lambda, services } = system.current;
    // The client tries its parts again for a while, and is met in the middle.
    await services.faults.set({
      service: 's3',
      operation: 'UploadPart',
      status: 503,
      code: 'SlowDown',
      times: Number.POSITIVE_INFINITY,
    });
    const job = await startBackup(system.current, 'warehouse');
    await eventually(bucket.unfinishedUploads, (uploads) => uploads.length > 0);
    await lambda.kill('dbms-backup');
    await services.faults.clear();
    expect((await getJob(system.current, job.id)).status).toBe('running');
    const execution = lambda.durable.all().find(({ start }) => start.name === job.id);
    await eventually(
      () => JSON.stringify(execution?.events),
      (events) => events.includes('Runtime.ExitError'),
    );
    const { status, error, backup_id } = await endOf(system.current, job.id);
    expect([status, error]).toEqual(['succeeded', null]);
    const { status: listed, objects } = await getBackup(system.current, backup_id ?? '');
    expect(listed).toBe('available');
    expect(await bucket.keys(backup_id ?? '')).toHaveLength(objects ?? 0);
    expect(await bucket.unfinishedUploads()).toEqual([]);
    await eventually(
      () => sessionsOn(server),
      (sessions) => sessions.length === 0,
    );
  });

  test('a restart of the system, which keeps its state', async () => {
    const lock = await shop.connect();
    await lock.query('BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE');
    const known = await listBackups(system.current, 'warehouse');
    const { viewer } = system.current.tokens;
    const job = await startBackup(system.current, 'shop');
    await eventually(
      () => sessionsOn(server),
      (sessions) => sessions.some(({ waits }) => waits === 'Lock'),
    );
    await system.restart(async () => {
      await lock.query('COMMIT');
      await lock.end();
    });
    bucket = await openBucket(system.current);
    expect((await call(system.current, '/backups', { token: viewer })).status).toBe(200);
    expect(await listBackups(system.current, 'warehouse')).toEqual(known);
    const { status, backup_id } = await endOf(system.current, job.id);
    expect(status).toBe('succeeded');
    expect((await getBackup(system.current, backup_id ?? '')).status).toBe('available');
    const target = uniqueName('restarted');
    const request = { database: 'shop', backup: backup_id ?? '', target };
    expect((await endOf(system.current, (await startRestore(system.current, request)).id)).status).toBe('succeeded');
    await drop(target);
  });

  async function drop(name: string): Promise<void> {
    const client = await shop.connect();
    await client.query(`DROP DATABASE "${name}" WITH (FORCE)`);
    await client.end();
  }
});
