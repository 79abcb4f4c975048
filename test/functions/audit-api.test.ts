import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { routes } from '../../shared/contract/routes.ts';
import type { AuditRecord } from '../../shared/contract/schemas/audit.ts';
import { createAuditor } from '../../shared/security/audit/auditor.ts';
import { createJobStore } from '../../shared/state/jobs.ts';
import { clientOptions } from '../local/aws/support.ts';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  const s3 = new S3Client({ ...clientOptions(api.services.endpoints.s3), forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: api.bucket }));
  s3.destroy();
});
afterEach(() => {
  vi.restoreAllMocks();
  return api.services.faults.clear();
});
afterAll(() => api.close());

/** Lets the time pass after which every function knows of a change of the settings. */
function letSettingsBeKnown(): void {
  const then = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => then() + 10_000);
}

const list = async (query: Record<string, string> = {}): Promise<AuditRecord[]> =>
  (await api.call({ method: 'GET', path: '/security/audit', as: ['auditor'], sub: 'carol', query })).body.items;
const backUp = () => api.call({ method: 'POST', path: '/backups', body: { backup_type: 'full' }, sub: 'bob' });
const change = (version: number, settings: object) =>
  api.call({ method: 'PUT', path: '/security/settings', body: { version, settings } });

describe('a call', () => {
  test('has a record before it begins and one when it ends, with who, what, where and what came of it', async () => {
    const { body: job } = await backUp();
    const [ended, began] = await list({ actor: 'bob' });
    expect(began).toMatchObject({
      source: 'api',
      actor: 'bob',
      operation: 'createBackup',
      database: 'shop',
      chain: 'databases/shop',
      address: '10.1.2.3',
      request_id: 'request-1',
      outcome: 'started',
      duration_ms: null,
      request: { body: { backup_type: 'full' } },
    });
    expect(ended).toMatchObject({
      operation: 'createBackup',
      outcome: 'succeeded',
      started_by: began?.sequence,
      duration_ms: expect.any(Number),
      error: null,
      after: { id: job.id, kind: 'backup' },
    });
  });

  test('that reads has one record, which is there before the answer is', async () => {
    const fault = { service: 'dynamodb', operation: 'TransactWriteItems', status: 400, times: 1 } as const;
    await api.services.faults.set({ ...fault, code: 'AccessDeniedException' });
    const refused = await api.call({ method: 'GET', path: '/backups', sub: 'frank' });
    expect([refused.status, refused.problem.code]).toEqual([503, 'audit_unavailable']);
    await api.call({ method: 'GET', path: '/backups', sub: 'frank' });
    expect(await list({ actor: 'frank' })).toMatchObject([
      { operation: 'listBackups', outcome: 'succeeded', started_by: null, duration_ms: expect.any(Number) },
    ]);
  });

  test('about a job or a backup is in the trail of its database', async () => {
    const { body: job } = await api.call({
      method: 'POST',
      path: '/backups',
      query: { database: 'crm' },
      body: { backup_type: 'full' },
    });
    await api.call({ method: 'GET', path: `/jobs/${job.id}`, sub: 'dave' });
    await api.call({ method: 'GET', path: `/backups/${job.backup_id}`, sub: 'dave' });
    const seen = (await list({ database: 'crm', actor: 'dave' })).map(({ operation, target }) => [operation, target]);
    expect(seen).toEqual([
      ['getBackup', job.backup_id],
      ['getJob', job.id],
    ]);
  });

  test('that changes something shows how it was and how it became', async () => {
    const thresholds = { checks: { connections: { enabled: false } } };
    await api.call({ method: 'PUT', path: '/alerts/thresholds', body: thresholds, sub: 'erin' });
    const [ended] = await list({ actor: 'erin', outcome: 'succeeded' });
    expect(ended).toMatchObject({
      operation: 'putAlertThresholds',
      before: { checks: { connections: { enabled: true } } },
      after: { checks: { connections: { enabled: false } } },
    });
  });

  test('that is refused or fails is recorded, with its code', async () => {
    await api.call({ method: 'POST', path: '/backups', body: { backup_type: 'full' }, as: ['viewer'], sub: 'mallory' });
    await api.call({ method: 'POST', path: '/backups', body: { backup_type: 'half' }, sub: 'mallory' });
    await api.call({ method: 'GET', path: '/jobs', query: { database: 'none' }, sub: 'mallory' });
    api.refuseInvocations(true);
    await api.call({ method: 'POST', path: '/backups', body: { backup_type: 'full' }, sub: 'mallory' });
    api.refuseInvocations(false);
    const shown = [...(await list({ actor: 'mallory' })), ...(await list({ actor: 'mallory', scope: 'system' }))];
    expect(shown.map(({ operation, outcome, error }) => [operation, outcome, error])).toEqual([
      ['createBackup', 'failed', 'job_not_started'],
      ['createBackup', 'started', null],
      ['createBackup', 'refused', 'invalid_request'],
      ['createBackup', 'refused', 'role_too_low'],
      ['listJobs', 'refused', 'unknown_database'],
    ]);
  });

  test('does nothing when it cannot be recorded: no job, no invocation, no change', async () => {
    const jobs = () => createJobStore(api.table).list({ database: 'shop', limit: 100 });
    const before = [(await jobs()).items.length, api.invocations.length];
    const { body: settings } = await api.call({ method: 'GET', path: '/security/settings' });
    const fault = { service: 'dynamodb', operation: 'TransactWriteItems', status: 400, times: Infinity } as const;
    await api.services.faults.set({ ...fault, code: 'ResourceNotFoundException' });
    const changes = [
      await backUp(),
      await change(settings.version, { enable_audit: false }),
      await api.call({ method: 'PUT', path: '/alerts/thresholds', body: {} }),
      await api.call({ method: 'GET', path: '/jobs' }),
    ];
    for (const { status, problem } of changes) {
      expect([status, problem.code]).toEqual([503, 'audit_unavailable']);
      expect(problem.detail).toContain('ResourceNotFoundException');
      expect(problem.next_step).toContain('Audit table');
    }
    await api.services.faults.clear();
    expect([(await jobs()).items.length, api.invocations.length]).toEqual(before);
    expect((await api.call({ method: 'GET', path: '/security/settings' })).body).toEqual(settings);
    const { body: thresholds } = await api.call({ method: 'GET', path: '/alerts/thresholds' });
    expect(thresholds.checks.connections.enabled).toBe(false);
  });

  test('takes little longer for it', async () => {
    const median = async (): Promise<number> => {
      const times: number[] = [];
      for (let call = 0; call < 60; call++) {
        const began = performance.now();
        await api.call({ method: 'GET', path: '/jobs', sub: 'measured' });
        times.push(performance.now() - began);
      }
      return times.toSorted((one, other) => one - other)[30] ?? 0;
    };
    const audited = await median();
    const { body } = await api.call({ method: 'GET', path: '/security/settings' });
    await change(body.version, { enable_audit: false });
    letSettingsBeKnown();
    const plain = await median();
    await change(body.version + 1, { enable_audit: true });
    process.stdout.write(`a call takes ${audited.toFixed(1)} ms, unaudited ${plain.toFixed(1)} ms\n`);
    expect(await list({ actor: 'measured', limit: '200', outcome: 'succeeded' })).toHaveLength(60);
  });
});

describe('the trail', () => {
  test('is read page by page, and filtered', async () => {
    const query = { operation: 'createBackup', limit: '2' };
    const first = await api.call({ method: 'GET', path: '/security/audit', query });
    const second = await api.call({
      method: 'GET',
      path: '/security/audit',
      query: { ...query, cursor: first.body.next_cursor },
    });
    const both: AuditRecord[] = [...first.body.items, ...second.body.items];
    expect(both.map(({ operation }) => operation)).toEqual(Array(4).fill('createBackup'));
    expect(new Set(both.map(({ sequence }) => sequence)).size).toBe(4);
    const [newest] = both;
    const { length } = await list({ from: newest?.at ?? '', to: newest?.at ?? '' });
    expect(length).toBeGreaterThan(0);
    const outside = { cursor: first.body.next_cursor, from: '2099-01-01T00:00:00Z' };
    const refused = await api.call({ method: 'GET', path: '/security/audit', query: outside });
    expect([refused.status, refused.problem.code]).toEqual([400, 'invalid_cursor']);
  });

  test('is had as CSV and as JSON lines', async () => {
    const query = { operation: 'createBackup', limit: '2' };
    const csv = await api.call({ method: 'GET', path: '/security/audit', query: { ...query, format: 'csv' } });
    expect(csv.headers['Content-Type']).toBe('text/csv; charset=utf-8');
    const [names = '', ...lines] = (csv.body as string).trimEnd().split('\r\n');
    expect(names.split(',').slice(0, 3)).toEqual(['source', 'actor', 'operation']);
    expect(lines).toHaveLength(2);
    const jsonl = await api.call({ method: 'GET', path: '/security/audit', query: { ...query, format: 'jsonl' } });
    const records = (jsonl.body as string)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.map(({ operation }) => operation)).toEqual(['createBackup', 'createBackup']);
    expect(jsonl.headers['Next-Cursor']).toBeTruthy();
  });

  test('is proven', async () => {
    for (const scope of ['database', 'system']) {
      const { body } = await api.call({ method: 'GET', path: '/security/audit/verify', query: { scope } });
      expect(body).toMatchObject({ intact: true, complete: true, broken: null });
      expect(body.records).toBeGreaterThan(5);
    }
  });

  test('of a database that has left the configuration is read and verified still', async () => {
    const settings = async () => ({ enable_audit: true, max_audit_retention_days: 90 });
    const who = { source: 'api', actor: 'alice', operation: 'read', target: null, address: null } as const;
    const auditor = createAuditor({ table: api.auditTable, settings });
    await auditor.observed({ ...who, database: 'gone', request_id: null }, async () => 1);
    expect(await list({ database: 'gone' })).toHaveLength(1);
    const query = { database: 'gone' };
    const { body } = await api.call({ method: 'GET', path: '/security/audit/verify', query });
    expect(body).toMatchObject({ intact: true, records: 1 });
    const never = await api.call({ method: 'GET', path: '/security/audit', query: { database: 'never' } });
    expect(never.problem.code).toBe('unknown_database');
  });

  test('is for auditors and admins alone', async () => {
    for (const path of ['/security/audit', '/security/audit/verify', '/security/settings'] as const) {
      expect((await api.call({ method: 'GET', path, as: ['operator'] })).status).toBe(403);
      expect((await api.call({ method: 'GET', path, as: ['auditor'] })).status).toBe(200);
    }
    expect(routes.filter(({ path }) => path.startsWith('/security/audit')).map(({ leastRole }) => leastRole)).toEqual([
      'auditor',
      'auditor',
    ]);
  });
});

describe('the settings', () => {
  const read = async () => (await api.call({ method: 'GET', path: '/security/settings' })).body;

  test('are changed one by one, as of a version, and show what was before', async () => {
    const before = await read();
    const { body: after } = await change(before.version, { session_max_age_minutes: 60 });
    expect(after).toMatchObject({
      version: before.version + 1,
      changed_by: 'alice',
      settings: { ...before.settings, session_max_age_minutes: 60 },
      configured: before.configured,
    });
    expect(after.history.slice(0, 2).map(({ version }: { version: number }) => version)).toEqual([
      after.version,
      before.version,
    ]);
    const late = await change(before.version, { session_max_age_minutes: 30 });
    expect([late.status, late.problem.code]).toEqual([409, 'settings_changed']);
  });

  test.each([
    [{ allowed_address_ranges: ['192.0.2.0/24'] }, 409, 'address_excluded'],
    [{ allowed_address_ranges: ['everywhere'] }, 400, 'invalid_request'],
    [{ trusted_environments: ['nowhere'] }, 400, 'unknown_environment'],
    [{ max_audit_retention_days: 1 }, 400, 'invalid_request'],
    [{ anything: true }, 400, 'invalid_request'],
    [{}, 400, 'invalid_request'],
  ])('are not changed to %o', async (settings, status, code) => {
    const before = await read();
    const answer = await change(before.version, settings);
    expect([answer.status, answer.problem.code]).toEqual([status, code]);
    expect(await read()).toEqual(before);
  });

  test('turn audit off with a record and an alert, and on again with both', async () => {
    const alerts = async () =>
      (await api.call({ method: 'GET', path: '/alerts', query: { scope: 'system' } })).body.items.map(
        ({ cause, status }: { cause: string; status: string }) => [cause, status],
      );
    const { version } = await read();
    await change(version, { enable_audit: false });
    expect(await alerts()).toContainEqual(['audit:off', 'open']);
    letSettingsBeKnown();
    await api.call({ method: 'GET', path: '/jobs', sub: 'unseen' });
    await change(version + 1, { enable_audit: true });
    expect(await alerts()).not.toContainEqual(['audit:off', 'open']);
    expect(await list({ actor: 'unseen' })).toEqual([]);
    const changes = await list({ scope: 'system', operation: 'putSecuritySettings', outcome: 'succeeded' });
    expect(changes.slice(0, 2)).toMatchObject([
      { before: { settings: { enable_audit: false } }, after: { settings: { enable_audit: true } } },
      { before: { settings: { enable_audit: true } }, after: { settings: { enable_audit: false } } },
    ]);
  });
});
