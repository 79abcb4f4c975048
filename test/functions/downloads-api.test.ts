import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { downloadKey } from '../../shared/backup/download/download-key.ts';
import { sweepDownloads } from '../../shared/backup/download/sweep-downloads.ts';
import type { DownloadFormat } from '../../shared/contract/schemas/download.ts';
import type { Job } from '../../shared/contract/schemas/job.ts';
import { cancelJob, failJob, succeedDownload } from '../../shared/jobs/end.ts';
import { createBackupCatalog, runningBackup } from '../../shared/state/backups.ts';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';
import { createJobStore } from '../../shared/state/jobs.ts';
import { DAY_MS } from '../../shared/time.ts';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
let s3: S3Client;
beforeAll(async () => {
  api = await startApi();
  s3 = (await import('../../shared/aws/clients.ts')).s3Client();
  for (const Bucket of [api.bucket, api.downloadBucket]) await s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => api?.close());
afterEach(() => {
  vi.useRealTimers();
});

async function availableBackup(database = 'shop'): Promise<string> {
  const shared = { backup_type: 'full', custom_name: null, job_id: newJobId(), requested_by: 'alice' } as const;
  const backup = runningBackup({ id: newBackupId(), database, ...shared });
  await createBackupCatalog(api.table).addMissing({ ...backup, status: 'available' });
  return backup.id;
}

const make = (id: string, query: Record<string, string> = {}, more: object = {}) =>
  api.call({ method: 'POST', path: `/backups/${id}/download`, query, ...more });
const get = (id: string, query: Record<string, string> = {}) =>
  api.call({ method: 'GET', path: `/backups/${id}/download`, query });

/** Puts a file in the place where the job would, and ends the job. */
async function finish(job: Job, format: DownloadFormat = 'sql.zst', expiresAt = Date.now() + DAY_MS): Promise<string> {
  const backupId = job.backup_id ?? '';
  const Key = downloadKey({ database: job.database, backupId, jobId: job.id, format });
  await s3.send(new PutObjectCommand({ Bucket: api.downloadBucket, Key, Body: `file of ${job.id}` }));
  await createJobStore(api.table).start(job.id);
  const file = { format, bytes: 7, expires_at: new Date(expiresAt).toISOString() };
  await succeedDownload(api.table, { jobId: job.id, backupId, file });
  return Key;
}

describe('making a file', () => {
  test('begins one job for all who ask, of each format, and hands it to its function', async () => {
    const id = await availableBackup('crm');
    const answers = await Promise.all(['alice', 'bob', 'carol'].map((sub) => make(id, {}, { sub })));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    const [job] = answers.map(({ body }) => body);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(job).toMatchObject({ kind: 'download', status: 'queued', database: 'crm', backup_id: id, download: null });
    expect(answers[0]?.headers.Location).toBe(`/v1/api/database/jobs/${job.id}`);
    expect(api.invocations.at(-1)).toEqual({
      functionArn: expect.stringContaining(':download:live'),
      executionName: job.id,
      event: { database: 'crm', backup_id: id, format: 'sql.zst', job_id: job.id },
    });
    expect((await make(id, { format: 'sql.gz' })).body.id).not.toBe(job.id);
    const asked = await get(id);
    expect([asked.status, asked.body.id, asked.headers.Location]).toEqual([202, job.id, answers[0]?.headers.Location]);
  });

  test('answers the job that has made one, as long as its file is there, and then makes another', async () => {
    const id = await availableBackup();
    const { body: job } = await make(id);
    await finish(job);
    expect((await make(id)).body).toMatchObject({ id: job.id, status: 'succeeded', download: { format: 'sql.zst' } });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + DAY_MS + 1000 });
    const late = await get(id);
    expect([late.status, late.problem.code, late.problem.detail]).toEqual([
      404,
      'download_not_made',
      expect.stringContaining('it has expired'),
    ]);
    const { body: another } = await make(id);
    expect([another.id === job.id, another.status]).toEqual([false, 'queued']);
  });

  test('can be asked for again when the job failed or was cancelled, which the answer says', async () => {
    const id = await availableBackup();
    const { body: failed } = await make(id);
    await failJob(api.table, failed.id, { code: 'store_failed', message: 'S3 is away', next_step: 'Wait.' });
    expect((await get(id)).problem).toMatchObject({
      code: 'download_not_made',
      detail: expect.stringContaining(`${failed.id} failed: S3 is away`),
      next_step: expect.stringContaining(`POST backups/${id}/download?format=sql.zst`),
      errors: [{ field: 'query.format' }],
    });
    const { body: cancelled } = await make(id);
    expect(cancelled.id).not.toBe(failed.id);
    await cancelJob(api.table, cancelled.id);
    expect((await get(id)).problem.detail).toContain('was cancelled');
    expect((await make(id)).body.status).toBe('queued');
  });

  test('holds the backup, until the job has ended', async () => {
    const id = await availableBackup();
    const { body: job } = await make(id);
    const remove = () => api.call({ method: 'DELETE', path: `/backups/${id}`, query: { force: 'true' } });
    expect((await remove()).problem).toMatchObject({ code: 'backup_in_use', detail: expect.stringContaining(job.id) });
    const Key = await finish(job);
    const { body } = await get(id);
    expect((await fetch(body.url)).status).toBe(200);
    await s3.send(new CreateMultipartUploadCommand({ Bucket: api.downloadBucket, Key: `${Key}.more` }));
    expect((await remove()).status).toBe(204);
    // The file goes with its backup.
    expect((await fetch(body.url)).status).toBe(404);
    const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: api.downloadBucket }));
    expect(Uploads.filter((upload) => upload.Key?.includes(id))).toEqual([]);
    expect((await get(id)).status).toBe(404);
    // Its job does not offer it any more either.
    expect((await api.call({ method: 'GET', path: `/jobs/${job.id}` })).body).toMatchObject({
      status: 'succeeded',
      download: null,
    });
    expect((await make(id)).problem).toMatchObject({ code: 'unknown_backup', errors: [{ field: 'path.id' }] });
  });

  test('is refused for what is no available backup, and for requests that do not fit', async () => {
    const running = (await api.call({ method: 'POST', path: '/backups', body: { backup_type: 'full' } })).body
      .backup_id;
    for (const ask of [make, get]) {
      expect((await ask(running)).problem).toMatchObject({
        status: 409,
        code: 'backup_not_available',
        errors: [{ field: 'path.id' }],
      });
      expect((await ask(newBackupId())).problem.code).toBe('unknown_backup');
      expect((await ask('bkp-1')).problem.errors?.map(({ field }) => field)).toEqual(['path.id']);
      expect((await ask(running, { format: 'sql' })).problem.errors?.map(({ field }) => field)).toEqual([
        'query.format',
      ]);
    }
    expect((await make(running, { format: 'objects' })).status).toBe(400);
    expect((await get(running, { format: 'objects', limit: '0' })).problem.errors?.[0]?.field).toBe('query.limit');
    const none = await get(await availableBackup());
    expect([none.status, none.problem.detail]).toEqual([404, expect.stringContaining('nobody has asked for it')]);
  });
});

describe('an address', () => {
  test('serves the file without a token, as long as it holds, and nothing but that file', async () => {
    const id = await availableBackup();
    const { body: job } = await make(id);
    await finish(job);
    const { status, headers, body } = await get(id);
    expect(status).toBe(200);
    expect(headers['Cache-Control']).toBe('no-store');
    expect(Date.parse(body.url_expires_at) - Date.now()).toBeLessThanOrEqual(15 * 60_000);
    expect(await (await fetch(body.url)).text()).toBe(`file of ${job.id}`);
    expect((await fetch(body.url, { method: 'PUT', body: 'x' })).ok).toBe(false);
    expect((await fetch(body.url.replace(/\?.*/, ''))).status).toBe(403);
    // Signed an hour ago, it has expired for S3, whose clock goes on.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 });
    const { body: old } = await get(id);
    vi.useRealTimers();
    const refused = await fetch(old.url);
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('Request has expired')]);
  });

  test('ends with its file', async () => {
    const id = await availableBackup();
    const { body: job } = await make(id);
    const end = Date.now() + 60_000;
    await finish(job, 'sql.zst', end);
    const { body } = await get(id);
    expect(Date.parse(body.url_expires_at)).toBeLessThanOrEqual(end);
  });

  test('is in no log', async () => {
    const id = await availableBackup();
    const { body: job } = await make(id);
    await finish(job);
    const written: string[] = [];
    const spies = [process.stdout, process.stderr].map((stream) =>
      vi.spyOn(stream, 'write').mockImplementation((text) => written.push(String(text)) > 0),
    );
    vi.stubEnv('POWERTOOLS_LOG_LEVEL', 'DEBUG');
    vi.resetModules();
    const { handler } = await import('../../functions/downloads-api.ts');
    const event = {
      resource: '/api/database/backups/{id}/download',
      httpMethod: 'GET',
      headers: {},
      pathParameters: { id },
      queryStringParameters: {},
      body: null,
      requestContext: { requestId: 'request-1', authorizer: { sub: 'alice', roles: 'admin' } },
    };
    const answer = await handler(event as never, { getRemainingTimeInMillis: () => 30_000 } as never);
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
    expect(answer.body).toContain('X-Amz-Signature');
    expect(written.join('\n')).toContain('getDownload');
    expect(written.join('\n')).not.toMatch(/X-Amz|Signature=|sql\.zst/);
  });
});

test('the daily sweep takes files that have expired, and those of no job, and uploads whose job has ended', async () => {
  const id = await availableBackup('crm');
  const [old, fresh] = [(await make(id)).body as Job, (await make(id, { format: 'sql.gz' })).body as Job];
  const expired = await finish(old, 'sql.zst', Date.now() - 1000);
  const kept = await finish(fresh, 'sql.gz');
  const { body: running } = await make(id);
  const keyOf = (jobId: string) => downloadKey({ database: 'crm', backupId: id, jobId, format: 'sql.zst' });
  const [orphan, uploading, left] = [keyOf(newJobId()), keyOf(running.id), keyOf(newJobId())];
  await s3.send(new PutObjectCommand({ Bucket: api.downloadBucket, Key: orphan, Body: 'x' }));
  await s3.send(new PutObjectCommand({ Bucket: api.downloadBucket, Key: 'crm/not ours', Body: 'x' }));
  for (const Key of [uploading, left])
    await s3.send(new CreateMultipartUploadCommand({ Bucket: api.downloadBucket, Key }));
  const swept = await sweepDownloads({ s3, bucket: api.downloadBucket, table: api.table }, 'crm', Date.now());
  expect({ ...swept, files: swept.files.sort() }).toEqual({ files: [expired, orphan].sort(), uploads: 1 });
  const { body } = await get(id, { format: 'sql.gz' });
  expect(body.url).toContain(kept.split('/').at(-1));
  expect((await fetch(body.url)).status).toBe(200);
});
