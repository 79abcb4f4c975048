import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { succeedBackup, succeedRestore } from '../../shared/jobs/end.ts';
import { restoreEventSchema } from '../../shared/jobs/events.ts';
import { registerBackup } from '../../shared/jobs/start.ts';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';
import { createJobStore } from '../../shared/state/jobs.ts';
import { type Answer, startApi, type TestApi } from './api.ts';

let api: TestApi;
let backup: string;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.close());

const facts = {
  snapshot_at: '2026-01-01T00:00:00.000Z',
  ended_at: '2026-01-01T00:00:01.000Z',
  server_version: 180_004,
  tables: 1,
  rows: 1,
  bytes: 1,
  stored_bytes: 1,
  objects: 3,
  expires_at: '2030-01-01T00:00:00.000Z',
};

/** An available backup of `shop`. */
beforeEach(async () => {
  const { body: job } = await api.call({ method: 'POST', path: '/backups', body: { backup_type: 'full' } });
  await createJobStore(api.table).start(job.id);
  await succeedBackup(api.table, { jobId: job.id, backupId: job.backup_id, facts, warnings: [] });
  backup = job.backup_id;
  api.invocations.length = 0;
});

const restore = (body: object, path = '/restore'): Promise<Answer> =>
  api.call({ method: 'POST', path, body: { backup_id: backup, ...body } });
const fieldsOf = ({ problem }: Answer): string[] | undefined => problem.errors?.map(({ field }) => field);

describe('a restore', () => {
  test('hands all that was asked for to its job', async () => {
    const options = {
      schemas: ['sales'],
      tables: ['public.orders', { schema: 'a.b', table: 'Ü "x"' }],
      owner_mapping: { old: 'new' },
      without_owners: false,
      without_privileges: true,
      missing_roles: 'skip',
      masked: true,
      connections: 7,
    };
    const { status, body } = await restore({ confirm: true, target_database: 'copy', environment: 'crm', ...options });
    expect(status).toBe(202);
    expect(body).toMatchObject({ database: 'shop', environment: 'crm', target_database: 'copy', swap: null });
    const [invocation] = api.invocations;
    expect(invocation?.event).toMatchObject({ database: 'shop', mode: 'new', environment: 'crm', options });
    expect(restoreEventSchema.parse(invocation?.event)).toEqual(invocation?.event);
  });

  test('of a database that is not configured any more goes to an environment that is', async () => {
    const former = { database: 'former', requestedBy: 'schedule', backupType: 'full', customName: null } as const;
    const { job } = await registerBackup(api.table, former);
    const backup_id = job.backup_id ?? '';
    await createJobStore(api.table).start(job.id);
    await succeedBackup(api.table, { jobId: job.id, backupId: backup_id, facts, warnings: [] });
    const of = (more: object) =>
      api.call({
        method: 'POST',
        path: '/restore',
        query: { database: 'former' },
        body: { backup_id, confirm: true, target_database: 'copy', ...more },
      });
    expect((await of({})).status).toBe(404);
    expect((await of({ environment: 'crm' })).body).toMatchObject({ database: 'former', environment: 'crm' });
    expect(api.invocations.map(({ event }) => event)).toMatchObject([{ database: 'former', environment: 'crm' }]);
  });

  test('in place replaces the configured database, unless another is named', async () => {
    const { body } = await restore({ confirm: true, mode: 'swap' });
    expect(body).toMatchObject({ target_database: 'shop', environment: null });
    const other = await restore({ confirm: true, mode: 'swap', environment: 'crm' });
    expect(other.body).toMatchObject({ target_database: 'crm', environment: 'crm' });
    const named = await restore({ confirm: true, mode: 'swap', target_database: 'crm' });
    expect(named.body.target_database).toBe('crm');
    expect(api.invocations.map(({ event }) => event.mode)).toEqual(['swap', 'swap', 'swap']);
  });

  test('in place of a database that is not managed asks for its name once more', async () => {
    const swap = { confirm: true, mode: 'swap', target_database: 'legacy' };
    for (const more of [{}, { confirm_unmanaged: 'shop' }]) {
      const refused = await restore({ ...swap, ...more });
      expect([refused.status, fieldsOf(refused)]).toEqual([400, ['body.confirm_unmanaged']]);
      expect(refused.problem.errors?.[0]?.message).toContain('this system does not manage');
    }
    expect(api.invocations).toEqual([]);
    const confirmed = await restore({ ...swap, confirm_unmanaged: 'legacy' });
    expect([confirmed.status, confirmed.body.target_database]).toEqual([202, 'legacy']);
    expect(api.invocations[0]?.event.options).not.toHaveProperty('confirm_unmanaged');
    const elsewhere = await restore({ confirm: true, target_database: 'copy', confirm_unmanaged: 'copy' });
    expect(fieldsOf(elsewhere)).toEqual(['body.confirm_unmanaged']);
  });

  test('of rows goes into the configured database, unless another is named, whole or in part', async () => {
    const { status, body } = await restore({ confirm: true, mode: 'data', tables: ['sales.orders'] });
    expect([status, body.target_database]).toEqual([202, 'shop']);
    const named = await restore({ confirm: true, mode: 'data', target_database: 'shop_2', environment: 'crm' });
    expect(named.body).toMatchObject({ target_database: 'shop_2', environment: 'crm' });
    expect(api.invocations.map(({ event }) => event.mode)).toEqual(['data', 'data']);
  });

  test.each([
    [{ confirm: true }, ['body.target_database']],
    [{ confirm: true, target_database: 'x', backup_id: undefined }, ['body.backup_id']],
    [{ confirm: true, target_database: 'x', inclusive: false }, ['body.inclusive']],
    [{ confirm: true, target_database: 'x', lsn: '0/1', transaction: '7' }, ['body.transaction']],
    [{ confirm: true, mode: 'swap', lsn: '0/1' }, ['body.lsn']],
    [{ confirm: true, target_database: 'x', point_in_time: 'yesterday' }, ['body.point_in_time']],
    [{ confirm: true, target_database: 'x', point_in_time: '2026-01-01T00:00:00Z', masked: true }, ['body.masked']],
    [{ mode: 'swap' }, ['body.confirm']],
    [{ confirm: true, mode: 'swap', tables: ['a.b'], schemas: ['c'] }, ['body.schemas', 'body.tables']],
    [{ confirm: true, target_database: 'x', environment: 'unknown' }, ['body.environment']],
    [{ confirm: true, target_database: 'x', connections: 33 }, ['body.connections']],
    [{ confirm: true, target_database: 'x', connections: 0 }, ['body.connections']],
    [{ confirm: true, target_database: 'x', missing_roles: 'drop' }, ['body.missing_roles']],
    [{ confirm: true, target_database: 'x', tables: [] }, ['body.tables']],
    [{ confirm: true, target_database: 'x', tables: ['orders'] }, ['body.tables.0']],
    [{ confirm: true, target_database: 'x', tables: ['a.b.c'] }, ['body.tables.0']],
    [{ confirm: true, target_database: 'x', owner_mapping: { a: 'é'.repeat(32) } }, ['body.owner_mapping.a']],
    [{ confirm: true, target_database: 'postgres', mode: 'swap' }, ['body.target_database']],
  ])('%j is refused at %j', async (body, fields) => {
    const answer = await restore(body);
    expect(answer.status).toBe(400);
    expect(fieldsOf(answer)).toEqual(fields);
    expect(api.invocations).toEqual([]);
  });
});

describe('a check', () => {
  test('needs nothing confirmed, begins nothing, and says that the server is out of reach', async () => {
    const { status, body } = await restore({ target_database: 'copy' }, '/restore/check');
    expect(status).toBe(200);
    expect(body).toMatchObject({ warnings: [], restores: null, server_version: null });
    expect(body.problems).toHaveLength(1);
    expect(Object.keys(body.problems[0]).sort()).toEqual(['code', 'message', 'next_step']);
    expect(api.invocations).toEqual([]);
  });

  test('is of a backup that can be restored', async () => {
    const unknown = await restore({ backup_id: newBackupId(), target_database: 'x' }, '/restore/check');
    expect([unknown.status, unknown.problem.code]).toEqual([404, 'unknown_backup']);
    const { body: running } = await api.call({ method: 'POST', path: '/backups', body: { backup_type: 'full' } });
    const early = await restore({ backup_id: running.backup_id, target_database: 'x' }, '/restore/check');
    expect([early.status, early.problem.code]).toEqual([409, 'backup_not_available']);
    const confirmed = await restore({ confirm: true, target_database: 'x' }, '/restore/check');
    expect(fieldsOf(confirmed)).toEqual(['body.confirm']);
  });
});

describe('a swap back', () => {
  const swapBack = (id: string, body: object = { confirm: true }) =>
    api.call({ method: 'POST', path: `/restore/${id}/swap-back`, body });

  test('is of a job that has swapped, and is confirmed', async () => {
    expect((await swapBack(newJobId())).status).toBe(404);
    const { body: job } = await restore({ confirm: true, mode: 'swap' });
    const early = await swapBack(job.id);
    expect([early.status, early.problem.code]).toEqual([409, 'not_swapped']);
    expect(fieldsOf(await swapBack(job.id, {}))).toEqual(['body.confirm']);

    const jobs = createJobStore(api.table);
    await jobs.start(job.id);
    await succeedRestore(api.table, { jobId: job.id, backupId: backup, warnings: [], keptDatabase: 'shop_replaced' });
    const swap = { kept_database: 'shop_replaced', swapped_back_at: null };
    const shown = await api.call({ method: 'GET', path: `/jobs/${job.id}` });
    expect(shown.body).toMatchObject({ status: 'succeeded', swap });
    await jobs.recordSwap(job.id, { ...swap, swapped_back_at: '2026-02-01T00:00:00.000Z' });
    const again = await swapBack(job.id);
    expect([again.status, again.problem.code]).toEqual([409, 'not_swapped']);
    expect(again.problem.detail).toContain('2026-02-01');
  });
});
