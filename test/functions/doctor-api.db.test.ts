import { afterAll, beforeAll, expect, test } from 'vitest';
import { readReport } from '../../shared/doctor/store.ts';
import { emptyWatch, writeWatch } from '../../shared/health/sample-store.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { startApi, type TestApi } from './api.ts';

let database: ScratchDatabase;
let api: TestApi;

beforeAll(async () => {
  database = await createScratchDatabase(anyServer());
  const { host, port, user, password } = database.server;
  api = await startApi(undefined, { host, port, user, password, name: database.name });
  // Fresh, so that health asks nobody for one.
  await writeWatch(api.table, 'shop', { ...emptyWatch, latest: { at: Date.now(), values: { up: 1 } } });
});
afterAll(async () => {
  await api?.close();
  await database?.drop();
});

const get = async (path: string) => (await api.call({ method: 'GET', path, as: ['viewer'] })).body;
const stateOf = async (name: string) =>
  (await get('/health')).checks.find(({ check }: { check: string }) => check === name);

test('health knows nothing before the first report', async () => {
  const { doctor } = await get('/health');
  expect(doctor).toBeNull();
  expect(await stateOf('failing_features')).toMatchObject({ state: 'unknown', value: null });
  expect(await stateOf('limited_features')).toMatchObject({ state: 'unknown', value: null });
});

test('the doctor says what works, and health shows the report from then on', async () => {
  const report = await get('/doctor');
  expect(report).toMatchObject({ database: 'shop', unread: [], login: database.server.user });
  expect(report.features.map(({ feature, status }: Record<string, string>) => [feature, status])).toEqual(
    expect.arrayContaining([
      ['backup', 'works'],
      ['restore', 'works'],
      ['swap', 'works'],
      // No log group is configured, which nothing asks for.
      ['login_audit', 'does_not_work'],
    ]),
  );
  expect((await get('/health')).doctor).toEqual(report);
  expect(await stateOf('failing_features')).toMatchObject({ state: 'ok', value: 0 });
});

test('the scheduled run examines every database, and keeps each report', async () => {
  const { handler } = await import('../../functions/examine-databases.ts');
  expect(Object.keys(await handler())).toEqual(['shop', 'crm']);
  expect(await readReport(api.table, 'crm')).toMatchObject({ database: 'crm', unread: [] });
});
