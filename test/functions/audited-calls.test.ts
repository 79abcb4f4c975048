import { DeleteTableCommand } from '@aws-sdk/client-dynamodb';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { routes } from '../../shared/contract/routes.ts';
import { ruleIds } from '../../shared/security/compliance/registry.ts';
import { newAlertId, newBackupId, newJobId } from '../../shared/state/ids.ts';
import { requiredQueryOf, startApi, type TestApi } from './api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.close());

const everything = async () => {
  const { table } = api;
  const { Items = [] } = await table.documents.send(new ScanCommand({ TableName: table.name, ConsistentRead: true }));
  // Calls are counted before anything else, so that nobody makes too many of them.
  const kept = Items.filter(({ pk }) => !String(pk).startsWith('CALLS#'));
  return kept.map((item) => JSON.stringify(item)).sort();
};

describe('while the Audit table is not there', () => {
  beforeAll(async () => {
    const { auditTable } = api;
    await auditTable.documents.send(new DeleteTableCommand({ TableName: auditTable.name }));
  });

  const ids = { '/jobs': newJobId, '/restore': newJobId, '/alerts': newAlertId, '/backups': newBackupId };
  const pathOf = (path: string): string => {
    const [, newId = newJobId] = Object.entries(ids).find(([beginning]) => path.startsWith(beginning)) ?? [];
    return path
      .replace('{id}', newId())
      .replace('{pid}', '4711')
      .replace('{rule}', ruleIds[0] ?? '');
  };
  const changing = routes.filter(({ method }) => method !== 'GET');

  test.each(changing)('nothing is changed: $method $path', async (route) => {
    const before = await everything();
    const invoked = api.invocations.length;
    const { status, problem } = await api.call({
      method: route.method,
      path: pathOf(route.path),
      ...('body' in route ? { body: ('bodyExample' in route ? route.bodyExample : undefined) ?? {} } : {}),
    });
    expect([status, problem.code]).toEqual([503, 'audit_unavailable']);
    expect(problem.next_step).toContain('Audit table');
    expect(await everything()).toEqual(before);
    expect(api.invocations).toHaveLength(invoked);
  });

  const reading = routes.filter(({ method, leastRole }) => method === 'GET' && leastRole !== 'public');
  test.each(reading)('nothing is read: $method $path', async (route) => {
    const { status, problem } = await api.call({
      method: 'GET',
      path: pathOf(route.path),
      query: requiredQueryOf(route),
    });
    expect([status, problem.code]).toEqual([503, 'audit_unavailable']);
  });
});
