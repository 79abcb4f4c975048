import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupType } from '../../shared/contract/schemas/backup.ts';
import { endValidation, succeedBackup } from '../../shared/jobs/end.ts';
import { executionClaim } from '../../shared/jobs/execution-ended.ts';
import { registerScheduled, registerValidation } from '../../shared/jobs/start-validation.ts';
import type { ValidationEnd } from '../../shared/jobs/validation-job.ts';
import { createBackupCatalog } from '../../shared/state/backups.ts';
import { newBackupId } from '../../shared/state/ids.ts';
import { createJobStore } from '../../shared/state/jobs.ts';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  const s3 = (await import('../../shared/aws/clients.ts')).s3Client();
  for (const Bucket of [api.bucket, api.downloadBucket]) await s3.send(new CreateBucketCommand({ Bucket }));
});
afterAll(() => api?.close());

/** Without a drill server, as by default. */
const noDrills = { drills: { server: null } };
const drills = { drills: { server: 'shop' } };

const validate = (id: string, body: unknown = { level: 'integrity' }, more: object = {}) =>
  api.call({ method: 'POST', path: `/backups/${id}/validate`, as: ['operator'], body, ...more });

async function availableBackup(
  backup_type: BackupType = 'full',
  database = 'shop',
  more: object = {},
): Promise<string> {
  const { body: job } = await api.call({
    ...{ method: 'POST', path: '/backups', query: { database } },
    body: { backup_type, ...more },
  });
  await createJobStore(api.table).start(job.id);
  const at = '2026-01-01T00:00:00.000Z';
  const counts = { tables: 1, rows: 1, bytes: 1, stored_bytes: 1, objects: 3 };
  const facts = { snapshot_at: at, ended_at: at, expires_at: null, server_version: 180_004, ...counts };
  await succeedBackup(api.table, { jobId: job.id, backupId: job.backup_id, facts, warnings: [] });
  return job.backup_id;
}

const remove = (id: string) => api.call({ method: 'DELETE', path: `/backups/${id}` });

describe('validating', () => {
  test('begins a job for its function, and keeps the backup from being deleted until it has ended', async () => {
    const id = await availableBackup();
    const { status, headers, body: job } = await validate(id);
    expect([status, headers.Location]).toEqual([202, `/v1/api/database/jobs/${job.id}`]);
    expect(job).toMatchObject({
      ...{ kind: 'validation', status: 'queued', database: 'shop', backup_id: id, requested_by: 'alice' },
      validation: { level: 'integrity', objects: null, damaged_objects: null, damaged: [] },
    });
    expect(api.invocations.at(-1)).toEqual({
      functionArn: 'arn:aws:lambda:eu-west-1:111122223333:function:validate:live',
      executionName: job.id,
      event: { database: 'shop', backup_id: id, level: 'integrity', requested_by: 'alice', job_id: job.id },
    });
    const refused = await remove(id);
    expect([refused.status, refused.problem.code]).toEqual([409, 'backup_in_use']);
    expect((await api.call({ method: 'POST', path: `/jobs/${job.id}/cancel` })).body.status).toBe('cancelled');
    expect((await remove(id)).status).toBe(204);
  });

  test('twice with one Idempotency-Key is one job, though the backup is gone by then', async () => {
    const id = await availableBackup();
    const send = (level: string) => validate(id, { level }, { headers: { 'Idempotency-Key': 'validate-1' } });
    const first = await send('integrity');
    await createJobStore(api.table).cancel(first.body.id);
    expect((await remove(id)).status).toBe(204);
    const again = await send('integrity');
    expect([again.status, again.body.id, again.headers['Idempotent-Replayed']]).toEqual([202, first.body.id, 'true']);
    expect((await send('restore')).problem.code).toBe('idempotency_key_reused');
  });

  test('is for operators', async () => {
    const id = await availableBackup();
    for (const [as, status] of [
      [null, 401],
      [['viewer'], 403],
      [['auditor'], 403],
      [['admin'], 202],
    ] as const) {
      expect((await validate(id, undefined, { as })).status, String(as)).toBe(status);
    }
  });

  test.each([
    ['no level', {}, 'body.level'],
    ['another level', { level: 'thorough' }, 'body.level'],
    ['what is not known', { level: 'integrity', deep: true }, 'body.deep'],
  ])('is refused with %s', async (_name, body, field) => {
    const { status, problem } = await validate(newBackupId(), body);
    expect([status, problem.errors?.map((each) => each.field)]).toEqual([400, [field]]);
  });

  test('what cannot be validated is refused, and no job is left', async () => {
    const running = await api.call({ method: 'POST', path: '/backups', body: { backup_type: 'full' } });
    const [full, data] = [await availableBackup(), await availableBackup('data')];
    const count = async () =>
      (await api.call({ method: 'GET', path: '/jobs', query: { limit: '200' } })).body.items.length;
    const before = await count();
    for (const [id, level, status, code] of [
      [newBackupId(), 'integrity', 404, 'unknown_backup'],
      [running.body.backup_id, 'integrity', 409, 'backup_not_available'],
      [data, 'restore', 409, 'definitions_missing'],
      [full, 'restore', 409, 'drills_not_configured'],
    ] as const) {
      const { status: found, problem } = await validate(id, { level });
      expect([found, problem.code]).toEqual([status, code]);
      expect(problem.next_step).toMatch(/\w+ \w+/);
    }
    const { problem } = await validate(full, { level: 'restore' });
    expect(problem.next_step).toContain('drills.server');
    expect(problem.errors?.map(({ field }) => field)).toEqual(['body.level']);
    expect(await count()).toBe(before);
    expect((await validate(data)).status).toBe(202);
  });
});

describe('what came of it', () => {
  /** The end of a validation that was registered for it. */
  async function end(id: string, level: 'integrity' | 'restore', outcome: ValidationEnd['outcome']) {
    const { job } = await registerValidation(api.table, drills, { backupId: id, level, requestedBy: 'alice' });
    await createJobStore(api.table).start(job.id);
    const error = outcome === 'passed' ? null : { code: 'x', message: 'why', next_step: 'what to do' };
    const report = { level, objects: null, damaged_objects: null, damaged: [] };
    await endValidation(api.table, { jobId: job.id, backupId: id, report, outcome, error, warnings: [] });
    const { body } = await api.call({ method: 'GET', path: `/backups/${id}`, as: ['viewer'] });
    return { job: await createJobStore(api.table).get(job.id), backup: body };
  }

  test('is at the backup: the last of all, the last drill, and since when it is proven', async () => {
    const id = await availableBackup();
    const none = { last_validation: null, last_drill: null, proven_at: null };
    expect((await api.call({ method: 'GET', path: `/backups/${id}` })).body).toMatchObject(none);
    const read = await end(id, 'integrity', 'passed');
    const integrity = { level: 'integrity', outcome: 'passed', job_id: read.job.id, error: null };
    expect(read.backup).toMatchObject({ last_validation: integrity, last_drill: null, proven_at: null });

    const { backup: proven } = await end(id, 'restore', 'passed');
    expect(proven.proven_at).toBe(proven.last_drill.ended_at);
    // It could not be brought to its end, which proves nothing and disproves nothing.
    const { backup: unclear, job } = await end(id, 'restore', 'inconclusive');
    expect(unclear).toMatchObject({
      last_drill: { outcome: 'inconclusive', error: job.error },
      proven_at: proven.proven_at,
    });
    expect(job).toMatchObject({ status: 'failed', error: { code: 'x' } });
    const { backup: damaged } = await end(id, 'integrity', 'failed');
    expect(damaged).toMatchObject({
      last_validation: { outcome: 'failed' },
      last_drill: unclear.last_drill,
      proven_at: null,
    });
    expect((await remove(id)).status).toBe(204);
  });
});

describe('a schedule', () => {
  const claim = executionClaim('arn:execution');
  const request = { level: 'restore', requestedBy: 'schedule' } as const;

  test('validates the newest full backup of the whole database, once for each execution', async () => {
    await availableBackup('full', 'crm');
    const newest = await availableBackup('full', 'crm');
    await availableBackup('schema', 'crm');
    await availableBackup('full', 'crm', { include: ['sales'] });
    await api.call({ method: 'POST', path: '/backups', query: { database: 'crm' }, body: { backup_type: 'full' } });
    const first = await registerScheduled(api.table, drills, { ...request, database: 'crm', claim });
    expect(first).toMatchObject({ kind: 'validation', backup_id: newest, requested_by: 'schedule' });
    expect((await registerScheduled(api.table, drills, { ...request, database: 'crm', claim })).id).toBe(first.id);
    expect(await createBackupCatalog(api.table).restoresOf(newest)).toEqual([first.id]);
  });

  test('leaves a failed job where there is no backup to validate', async () => {
    const { id, backup_id } = await registerScheduled(api.table, drills, { ...request, database: 'empty' });
    expect(backup_id).toBeNull();
    const { status, error } = await createJobStore(api.table).get(id);
    expect([status, error?.code]).toEqual(['failed', 'no_backup']);
  });

  test('is refused where no drill server is configured (any more)', async () => {
    const refused = registerScheduled(api.table, noDrills, { ...request, database: 'crm' });
    await expect(refused).rejects.toMatchObject({ code: 'drills_not_configured' });
  });
});
