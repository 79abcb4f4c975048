import { afterAll, beforeAll, expect, test } from 'vitest';
import { executionClaim, recordExecutionEnd } from '../../shared/jobs/execution-ended.ts';
import { registerBackup, startBackup } from '../../shared/jobs/start.ts';
import { createBackupCatalog } from '../../shared/state/backups.ts';
import { createJobStore } from '../../shared/state/jobs.ts';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
let handler: (event: unknown) => Promise<void>;
beforeAll(async () => {
  api = await startApi();
  handler = (await import('../../functions/execution-ended.ts')).handler;
});
afterAll(() => api?.close());

const request = { database: 'shop', requestedBy: 'schedule', backupType: 'full', customName: null } as const;
const arnOf = (name: string) => `arn:aws:lambda:eu-west-1:111122223333:function:backup:1/durable-execution/${name}/0`;
const ended = (durableExecutionName: string, status: string) => ({
  'detail-type': 'Durable Execution Status Change',
  source: 'aws.lambda',
  detail: {
    durableExecutionArn: arnOf(durableExecutionName),
    durableExecutionName,
    status,
    functionArn: 'arn:aws:lambda:eu-west-1:111122223333:function:backup:1',
  },
});

test.each([
  ['FAILED', 'execution_failed'],
  ['TIMED_OUT', 'execution_timed_out'],
  ['STOPPED', 'execution_stopped'],
])('an execution that ended %s marks its job and its backup as failed', async (status, code) => {
  const { job } = await registerBackup(api.table, request);
  await createJobStore(api.table).start(job.id);
  await handler(ended(job.id, status));
  expect(await createJobStore(api.table).get(job.id)).toMatchObject({ status: 'failed', error: { code } });
  const backup = await createBackupCatalog(api.table).get(job.backup_id ?? '');
  expect(backup).toMatchObject({ status: 'failed', error: expect.stringMatching(/\w/) });
});

test('a job that has said how it ended stays as it is', async () => {
  const { job } = await registerBackup(api.table, request);
  const jobs = createJobStore(api.table);
  await jobs.start(job.id);
  await jobs.succeed(job.id, { warnings: [] });
  expect(await recordExecutionEnd(api.table, ended(job.id, 'FAILED'))).toEqual({ jobId: job.id, changed: false });
  expect((await jobs.get(job.id)).status).toBe('succeeded');
});

test('an execution that a schedule started is found by its ARN, and registers one job however often it tries', async () => {
  const name = '8f5c6b0e-4f0f-4df4-8f0b-1f8d7d3c9a52';
  const first = await registerBackup(api.table, { ...request, claim: executionClaim(arnOf(name)) });
  const second = await registerBackup(api.table, { ...request, claim: executionClaim(arnOf(name)) });
  expect([second.job.id, second.replayed]).toEqual([first.job.id, true]);
  expect(second.event).toEqual(first.event);
  expect(await recordExecutionEnd(api.table, ended(name, 'TIMED_OUT'))).toEqual({ jobId: first.job.id, changed: true });
});

test('an execution of something else is no concern, and another event is an error', async () => {
  expect(await recordExecutionEnd(api.table, ended('nightly', 'FAILED'))).toBeNull();
  await expect(handler(ended('nightly', 'SUCCEEDED'))).rejects.toThrow('status');
});

test('a repeat of a request that ended before it handed its job over hands it over, with the same event', async () => {
  const claim = { scope: 'alice\ncreateBackup', key: 'lost', request: '{}' };
  const { job, event } = await registerBackup(api.table, { ...request, claim });
  const events: unknown[] = [];
  const startFunction = async (given: unknown, name: string) => {
    events.push([name, JSON.stringify(given)]);
  };
  const again = await startBackup({ table: api.table, startFunction }, { ...request, claim });
  expect(again).toMatchObject({ replayed: true, job: { id: job.id } });
  expect(events).toEqual([[job.id, JSON.stringify(event)]]);
});

test('an invocation whose answer was lost, but not the call, is no failure', async () => {
  const startFunction = async (_: unknown, name: string) => {
    await createJobStore(api.table).start(name);
    throw new Error('socket hang up');
  };
  const { job } = await startBackup({ table: api.table, startFunction }, request);
  expect((await createJobStore(api.table).get(job.id)).status).toBe('running');
});
