import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeMasking } from '../../shared/state/masking.ts';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.close());

test('rules are shown as they are stored, each database its own', async () => {
  const mask = { rule: 'fixed' as const, value: '' };
  const rules = [{ schema: 's', table: 't', column: 'c', mask }];
  const by = { changed_by: 'alice', changed_at: '2026-01-01T00:00:00.000Z' };
  expect(await writeMasking(api.table, { database: 'crm', version: 1, rules, ...by })).toBe(true);
  expect(await writeMasking(api.table, { database: 'crm', version: 1, rules: [], ...by })).toBe(false);
  expect(await writeMasking(api.table, { database: 'crm', version: 3, rules: [], ...by })).toBe(false);
  const shown = await api.call({
    method: 'GET',
    path: '/security/masking',
    as: ['operator'],
    query: { database: 'crm' },
  });
  expect(shown.body).toEqual({
    database: 'crm',
    version: 1,
    ...by,
    rules: [{ table: { schema: 's', table: 't' }, column: 'c', mask }],
  });
  const other = await api.call({ method: 'GET', path: '/security/masking', query: { database: 'shop' } });
  expect(other.body).toMatchObject({ version: 0, rules: [] });
});

test('a change that does not fit the contract is refused with every field at fault', async () => {
  const rules = [
    { table: 'people', column: 'a', mask: { rule: 'null' } },
    { table: 's.people', column: 'a', mask: { rule: 'rot13' } },
    { table: 's.people', column: '', mask: { rule: 'partial', sign: 'long' } },
  ];
  const { status, problem } = await api.call({ method: 'PUT', path: '/security/masking', body: { version: 0, rules } });
  expect(status).toBe(400);
  const fields = problem.errors?.map(({ field }) => field) ?? [];
  for (const field of [
    'body.rules.0.table',
    'body.rules.1.mask.rule',
    'body.rules.2.column',
    'body.rules.2.mask.sign',
  ]) {
    expect(fields).toContain(field);
  }
});

test('a masked backup is handed on and listed as one; definitions alone are none', async () => {
  const post = (body: object) => api.call({ method: 'POST', path: '/backups', query: { database: 'shop' }, body });
  const { body: job } = await post({ backup_type: 'full', masked: true });
  expect(api.invocations.at(-1)?.event).toMatchObject({ backup_id: job.backup_id, masked: true });
  const shown = await api.call({ method: 'GET', path: `/backups/${job.backup_id}` });
  expect(shown.body).toMatchObject({ masked: true, status: 'running' });
  const refused = await post({ backup_type: 'schema', masked: true });
  expect([refused.status, refused.problem.errors?.[0]?.field]).toEqual([400, 'body.masked']);
});

test('a sample is handed on and listed; of definitions alone there is none, and its patterns are read', async () => {
  const post = (body: object) => api.call({ method: 'POST', path: '/backups', query: { database: 'shop' }, body });
  const sample = { percent: 2.5, tables: ['sales.customers'] };
  const { body: job } = await post({ backup_type: 'full', sample });
  expect(api.invocations.at(-1)?.event).toMatchObject({ backup_id: job.backup_id, sample });
  const shown = await api.call({ method: 'GET', path: `/backups/${job.backup_id}` });
  expect(shown.body).toMatchObject({ sample, masked: false, status: 'running' });
  const fieldsOf = async (body: object) => (await post(body)).problem.errors?.map(({ field }) => field);
  expect(await fieldsOf({ backup_type: 'incremental', sample })).toEqual(['body.sample']);
  expect(await fieldsOf({ backup_type: 'full', sample: { percent: 100, tables: ['a.b.c'] } })).toEqual([
    'body.sample.percent',
    'body.sample.tables.0',
  ]);
});
