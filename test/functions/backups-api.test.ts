import { createHash } from 'node:crypto';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { succeedBackup, succeedRestore } from '../../shared/jobs/end.ts';
import { registerBackup } from '../../shared/jobs/start.ts';
import { createBackupCatalog } from '../../shared/state/backups.ts';
import { newBackupId } from '../../shared/state/ids.ts';
import { createJobStore } from '../../shared/state/jobs.ts';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
let s3: S3Client;
beforeAll(async () => {
  api = await startApi();
  s3 = (await import('../../shared/aws/clients.ts')).s3Client();
  for (const Bucket of [api.bucket, api.downloadBucket]) await s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => api?.close());

const post = (body: unknown = { backup_type: 'full' }, more: object = {}) =>
  api.call({ method: 'POST', path: '/backups', body, ...more });
const facts = {
  snapshot_at: '2026-01-01T00:00:00.000Z',
  ended_at: '2026-01-01T00:01:00.000Z',
  expires_at: null,
  server_version: 180_004,
  tables: 1,
  rows: 1,
  bytes: 1,
  stored_bytes: 1,
  objects: 1,
};

async function availableBackup(database = 'shop', depends_on: string[] = []): Promise<string> {
  const { body: job } = await post(undefined, { query: { database } });
  await createJobStore(api.table).start(job.id);
  await succeedBackup(api.table, {
    jobId: job.id,
    backupId: job.backup_id,
    facts: { ...facts, depends_on },
    warnings: [],
  });
  return job.backup_id;
}

async function keysOf(prefix: string): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: api.bucket, Prefix: prefix }));
  return Contents.map(({ Key }) => Key ?? '');
}

async function putObjects(prefix: string, names: string[]): Promise<void> {
  for (const name of names) await s3.send(new PutObjectCommand({ Bucket: api.bucket, Key: prefix + name, Body: 'x' }));
}

test('a backup is accepted, listed as running, and handed to its function under the name of its job', async () => {
  const { status, headers, body: job } = await post({ backup_type: 'full', custom_name: '  before release ' });
  expect(status).toBe(202);
  expect(headers.Location).toBe(`/v1/api/database/jobs/${job.id}`);
  expect(job).toMatchObject({ kind: 'backup', status: 'queued', database: 'shop', requested_by: 'alice' });
  const shown = await api.call({ method: 'GET', path: `/backups/${job.backup_id}`, as: ['viewer'] });
  expect(shown.body).toMatchObject({
    status: 'running',
    custom_name: 'before release',
    job_id: job.id,
    progress: null,
  });
  expect(api.invocations.at(-1)).toEqual({
    functionArn: 'arn:aws:lambda:eu-west-1:111122223333:function:backup:live',
    executionName: job.id,
    event: {
      database: 'shop',
      backup_type: 'full',
      custom_name: 'before release',
      requested_by: 'alice',
      job_id: job.id,
      backup_id: job.backup_id,
    },
  });
});

test('a running backup shows the progress of its job, in the list as well', async () => {
  const { body: job } = await post(undefined, { query: { database: 'crm' } });
  const jobs = createJobStore(api.table);
  await jobs.start(job.id);
  const count = { done: 1, total: null };
  const progress = {
    phase: 'data',
    tables: count,
    rows: count,
    bytes: count,
    bytes_per_second: null,
    seconds_left: null,
    updated_at: '2026-01-01T00:00:00.000Z',
  };
  await jobs.reportProgress(job.id, progress);
  expect((await api.call({ method: 'GET', path: `/backups/${job.backup_id}` })).body.progress).toEqual(progress);
  const list = await api.call({ method: 'GET', path: '/backups', query: { database: 'crm', status: 'running' } });
  expect(list.body).toMatchObject({ items: [{ id: job.backup_id, progress }], next_cursor: null });
  const none = await api.call({ method: 'GET', path: '/backups', query: { database: 'crm', status: 'available' } });
  expect(none.body.items).toEqual([]);
});

describe('an Idempotency-Key', () => {
  const keyed = (key: string, body?: unknown, more: object = {}) =>
    post(body, { headers: { 'Idempotency-Key': key }, ...more });

  test('answers a repeated request with its first job, as it was', async () => {
    const first = await keyed('key-1', { custom_name: 'a', backup_type: 'full' });
    await createJobStore(api.table).start(first.body.id);
    const before = api.invocations.length;
    const second = await keyed('key-1', { backup_type: 'full', custom_name: 'a' });
    expect(second.status).toBe(202);
    expect(second.body).toEqual(first.body);
    expect(second.headers).toMatchObject({ 'Idempotent-Replayed': 'true', Location: first.headers.Location });
    expect(first.headers['Idempotent-Replayed']).toBeUndefined();
    expect(api.invocations.length).toBe(before);
  });

  test('is refused for another request, and is its own for each caller', async () => {
    const first = await keyed('key-2');
    const other = await keyed('key-2', { backup_type: 'full', custom_name: 'b' });
    expect(other.status).toBe(422);
    expect(other.problem).toMatchObject({
      code: 'idempotency_key_reused',
      errors: [{ field: 'headers.idempotency-key' }],
    });
    const bob = await keyed('key-2', undefined, { sub: 'bob' });
    expect(bob.status).toBe(202);
    expect(bob.body.id).not.toBe(first.body.id);
  });

  /** Changes the only claim that was stored with a job. */
  const changeClaim = async (jobId: string, change: (item: Record<string, unknown>) => Record<string, unknown>) => {
    const { documents, name: TableName } = api.table;
    const { Items = [] } = await documents.send(new ScanCommand({ TableName, ConsistentRead: true }));
    const [item = {}] = Items.filter(({ sk, job }) => sk === 'IDEMPOTENCY' && job.id === jobId);
    await documents.send(new PutCommand({ TableName, Item: change(item) }));
  };

  test('finds its first job after a deployment that added a field with a default', async () => {
    const first = await keyed('key-5');
    // What the version before read of the same request, whose schema had fewer fields.
    const request_hash = createHash('sha256').update('{"params":{},"query":{},"body":{"before":1}}').digest('hex');
    await changeClaim(first.body.id, (item) => ({ ...item, request_hash }));
    const second = await keyed('key-5');
    expect([second.status, second.body?.id]).toEqual([202, first.body.id]);
    expect((await keyed('key-5', { backup_type: 'full', custom_name: 'b' })).status).toBe(422);
  });

  test('that an earlier version stored is still compared', async () => {
    const first = await keyed('key-6');
    await changeClaim(first.body.id, ({ sent_hash: _sent, ...item }) => item);
    expect((await keyed('key-6')).body.id).toBe(first.body.id);
    expect((await keyed('key-6', { backup_type: 'full', custom_name: 'b' })).status).toBe(422);
  });

  test('takes two spellings of a request for the same one', async () => {
    const first = await keyed('key-7', { backup_type: 'full' });
    const spelled = await keyed('key-7', { custom_name: null, backup_type: 'full' });
    expect([spelled.status, spelled.body.id]).toEqual([202, first.body.id]);
  });

  test('starts one job for requests at the same time', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => keyed('key-3')));
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(202));
    const ids = new Set(answers.map(({ body }) => body.id));
    expect(ids.size).toBe(1);
    expect(answers.filter(({ headers }) => headers['Idempotent-Replayed'] === undefined)).toHaveLength(1);
    const [id] = ids;
    const started = api.invocations.filter(({ executionName }) => executionName === id);
    expect(new Set(started.map(({ event }) => JSON.stringify(event))).size).toBe(1);
  });

  test.each(['', 'é', 'x'.repeat(256), 'a\tb'])('may not be %j', async (key) => {
    const { status, problem } = await keyed(key);
    expect(status).toBe(400);
    expect(problem.errors?.[0]?.field).toBe('headers.idempotency-key');
  });

  test('can be used again when nothing could be started, which the job and the backup say', async () => {
    api.refuseInvocations(true);
    const failed = await keyed('key-4');
    api.refuseInvocations(false);
    expect(failed.status).toBe(503);
    expect(failed.problem).toMatchObject({ code: 'job_not_started' });
    const { body: jobs } = await api.call({ method: 'GET', path: '/jobs', query: { limit: '1' } });
    expect(jobs.items[0]).toMatchObject({ status: 'failed', error: { code: 'job_not_started' } });
    const backup = await api.call({ method: 'GET', path: `/backups/${jobs.items[0].backup_id}` });
    expect(backup.body.status).toBe('failed');
    const again = await keyed('key-4');
    expect(again.status).toBe(202);
    expect(again.headers['Idempotent-Replayed']).toBeUndefined();
  });
});

describe('deleting', () => {
  const remove = (id: string, query = {}) => api.call({ method: 'DELETE', path: `/backups/${id}`, query });

  test('takes every object of that backup and of no other, and the entry', async () => {
    const id = await availableBackup();
    const prefix = `databases/shop/backups/${id}/`;
    await putObjects(prefix, ['manifest.json.enc', 'schema.json.zst.enc', 'data/a.b.1/000000.copy.zst.enc']);
    await putObjects(`databases/shop/backups/${id}x/`, ['manifest.json.enc']);
    const { status, body } = await remove(id);
    expect([status, body]).toEqual([204, '']);
    expect(await keysOf(prefix)).toEqual([]);
    expect(await keysOf(`databases/shop/backups/${id}x/`)).toHaveLength(1);
    expect((await remove(id)).status).toBe(404);
  });

  test('ends the uploads that were left unfinished, and those of no other backup', async () => {
    const id = await availableBackup();
    const [mine, other] = [`databases/shop/backups/${id}/data/x`, `databases/shop/backups/${id}x/data/x`];
    for (const Key of [mine, other]) await s3.send(new CreateMultipartUploadCommand({ Bucket: api.bucket, Key }));
    expect((await remove(id)).status).toBe(204);
    const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: api.bucket }));
    expect(Uploads.map(({ Key }) => Key)).toEqual([other]);
  });

  test('goes on where an earlier call was ended', async () => {
    const id = await availableBackup();
    const prefix = `databases/shop/backups/${id}/`;
    await putObjects(prefix, ['data/left-over']);
    await createBackupCatalog(api.table).markDeleting(id);
    expect((await remove(id)).status).toBe(204);
    expect(await keysOf(prefix)).toEqual([]);
  });

  test('fails with what is left still listed when S3 refuses, and can be asked again', async () => {
    const id = await availableBackup();
    const prefix = `databases/shop/backups/${id}/`;
    await putObjects(prefix, ['manifest.json.enc', 'data/x']);
    await api.services.faults.set({
      service: 's3',
      operation: 'DeleteObjects',
      code: 'AccessDenied',
      status: 403,
      times: 99,
    });
    const { status } = await remove(id);
    await api.services.faults.clear();
    expect(status).toBeGreaterThanOrEqual(500);
    expect(await keysOf(prefix)).toEqual([`${prefix}data/x`]);
    expect((await api.call({ method: 'GET', path: `/backups/${id}` })).body.status).toBe('deleting');
    expect((await remove(id)).status).toBe(204);
  });

  test('is refused while the backup is being made, and not once its job has ended', async () => {
    const { body: job } = await post();
    const refused = await remove(job.backup_id);
    expect(refused.status).toBe(409);
    expect(refused.problem.code).toBe('backup_running');
    await createJobStore(api.table).cancel(job.id);
    expect((await remove(job.backup_id)).status).toBe(204);
  });

  test('is refused while a restore reads the backup, until that has ended', async () => {
    const id = await availableBackup();
    const body = { backup_id: id, confirm: true, target_database: 'copy' };
    const { body: job } = await api.call({ method: 'POST', path: '/restore', body });
    const refused = await remove(id);
    expect(refused.status).toBe(409);
    expect(refused.problem).toMatchObject({ code: 'backup_in_use', detail: expect.stringContaining(job.id) });
    await createJobStore(api.table).start(job.id);
    await succeedRestore(api.table, { jobId: job.id, backupId: id, warnings: [] });
    expect((await remove(id)).status).toBe(204);
  });

  test('is refused while another backup needs it, unless told', async () => {
    const base = await availableBackup();
    const later = await availableBackup('shop', [base]);
    const refused = await remove(base);
    expect(refused.status).toBe(409);
    expect(refused.problem).toMatchObject({ code: 'backup_needed', detail: expect.stringContaining(later) });
    expect((await remove(base, { force: 'true' })).status).toBe(204);
    expect((await remove(later)).status).toBe(204);
  });

  test('of an unknown backup is 404 and names the field', async () => {
    const { status, problem } = await remove(newBackupId());
    expect(status).toBe(404);
    expect(problem.errors?.[0]?.field).toBe('path.id');
  });
});

describe('restoring', () => {
  const restore = (body: object, more: object = {}) =>
    api.call({ method: 'POST', path: '/restore', body: { confirm: true, ...body }, ...more });

  test('an available backup begins a job for its function', async () => {
    const id = await availableBackup();
    const { status, body: job } = await restore({ backup_id: id, target_database: 'shop "copy"' });
    expect(status).toBe(202);
    expect(job).toMatchObject({ kind: 'restore', backup_id: id, target_database: 'shop "copy"' });
    expect(api.invocations.at(-1)).toMatchObject({
      functionArn: expect.stringContaining(':restore:'),
      executionName: job.id,
      event: { database: 'shop', backup_id: id, target_database: 'shop "copy"', requested_by: 'alice', job_id: job.id },
    });
  });

  test('a repeated request is answered although the backup is gone by now', async () => {
    const id = await availableBackup();
    const send = () =>
      restore({ backup_id: id, target_database: 'copy' }, { headers: { 'Idempotency-Key': 'restore-1' } });
    const { body: job } = await send();
    await createJobStore(api.table).cancel(job.id);
    expect((await api.call({ method: 'DELETE', path: `/backups/${id}` })).status).toBe(204);
    const again = await send();
    expect([again.status, again.body.id]).toEqual([202, job.id]);
  });

  test('what cannot be restored is refused with the field at fault, and no job is left', async () => {
    const { body: running } = await post();
    const foreign = await availableBackup('crm');
    const count = async () =>
      (await api.call({ method: 'GET', path: '/jobs', query: { limit: '200' } })).body.items.length;
    const before = await count();
    for (const [backup_id, status, code] of [
      [newBackupId(), 404, 'unknown_backup'],
      [running.backup_id, 409, 'backup_not_available'],
      [foreign, 404, 'unknown_backup'],
    ] as const) {
      const answer = await restore({ backup_id, target_database: 'copy' });
      expect(answer.status).toBe(status);
      expect(answer.problem).toMatchObject({ code, errors: [{ field: 'body.backup_id' }] });
    }
    expect(await count()).toBe(before);
  });
});

test('the backups of a database that is not configured any more are listed, as long as there are any', async () => {
  const list = (database: string) => api.call({ method: 'GET', path: '/backups', query: { database } });
  expect((await list('former')).status).toBe(404);
  const former = { database: 'former', requestedBy: 'schedule', backupType: 'full', customName: null } as const;
  const { job } = await registerBackup(api.table, former);
  expect((await list('former')).body.items).toMatchObject([{ id: job.backup_id, database: 'former' }]);
});

test('the catalog is rebuilt of one database, or of all in the bucket', async () => {
  const rebuild = (query: Record<string, string>) =>
    api.call({ method: 'POST', path: '/backups/rebuild-catalog', query });
  const one = await rebuild({ database: 'crm' });
  expect(api.invocations.at(-1)?.event).toEqual({ database: 'crm', all: false, job_id: one.body.id });
  const all = await rebuild({ all: 'true' });
  expect(all.body).toMatchObject({ kind: 'rebuild', database: 'shop' });
  expect(api.invocations.at(-1)?.event).toEqual({ database: 'shop', all: true, job_id: all.body.id });
});
