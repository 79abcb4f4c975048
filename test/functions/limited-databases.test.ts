import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAccessControl } from '../../shared/access/authorize.ts';
import { openAlert } from '../../shared/alerts/alert-store.ts';
import { identitySchema } from '../../shared/configuration/runtime.ts';
import type { RouteDefinition } from '../../shared/contract/define-route.ts';
import { routes } from '../../shared/contract/routes.ts';
import { succeedBackup } from '../../shared/jobs/end.ts';
import { ruleIds } from '../../shared/security/compliance/registry.ts';
import { newAlertId } from '../../shared/state/ids.ts';
import { createJobStore } from '../../shared/state/jobs.ts';
import { startIssuer } from '../access/issuer.ts';
import { requiredQueryOf, startApi, type TestApi } from './api.ts';

/** A caller whose roles are for `crm` alone calls every route of the contract about `shop`. */
let api: TestApi;
const things = { job: '', backup: '', alert: '', restoreIntoShop: '' };
const ofCrm = { job: '', backup: '' };
beforeAll(async () => {
  api = await startApi();
  Object.assign(things, await makeBackup('shop'));
  Object.assign(ofCrm, await makeBackup('crm'));
  things.alert = await alertOf('shop');
  const body = { backup_id: ofCrm.backup, confirm: true, target_database: 'copy', environment: 'shop' };
  things.restoreIntoShop = (
    await api.call({ method: 'POST', path: '/restore', query: { database: 'crm' }, body })
  ).body.id;
});
afterAll(() => api?.close());

const facts = {
  ...{ snapshot_at: '2026-01-01T00:00:00.000Z', ended_at: '2026-01-01T00:00:01.000Z', expires_at: null },
  ...{ server_version: 180_004, tables: 1, rows: 1, bytes: 1, stored_bytes: 1, objects: 3 },
};

async function makeBackup(database: string): Promise<{ job: string; backup: string }> {
  const call = { method: 'POST', path: '/backups', query: { database }, body: { backup_type: 'full' } };
  const { body: job } = await api.call(call);
  await createJobStore(api.table).start(job.id);
  await succeedBackup(api.table, { jobId: job.id, backupId: job.backup_id, facts, warnings: [] });
  return { job: job.id, backup: job.backup_id };
}

async function alertOf(database: string | null): Promise<string> {
  const alert = {
    id: newAlertId(),
    database,
    cause: `of ${database}`,
    title: 'Disk in use',
    level: 'WARNING' as const,
  };
  const rest = { value: 0.9, threshold: 0.8, unit: 'Ratio', what_to_do: 'A larger disk', detail: null };
  return (await openAlert(api.table, { ...alert, ...rest }, null, new Date())).id;
}

const guarded = (routes as readonly RouteDefinition[]).filter(({ leastRole }) => leastRole !== 'public');
const shopsThing = (path: string): string =>
  path.startsWith('/backups') ? things.backup : path.startsWith('/alerts') ? things.alert : things.job;
const pathOf = ({ path }: RouteDefinition, id = shopsThing(path)): string =>
  path
    .replace('{id}', id)
    .replace('{pid}', '4711')
    .replace('{role}', 'reader')
    .replace('{rule}', ruleIds[0] ?? '');
const takesDatabase = ({ query }: RouteDefinition): boolean => query !== undefined && 'database' in query.shape;
const bodyOf = ({ body, bodyExample }: RouteDefinition): object => (body ? { body: bodyExample ?? {} } : {});
const about = (route: RouteDefinition, database: string) => ({
  ...{ method: route.method, path: pathOf(route), ...bodyOf(route) },
  ...(takesDatabase(route) ? { query: { ...requiredQueryOf(route), database } } : {}),
});

const everything = async (): Promise<string[]> => {
  const { Items = [] } = await api.table.documents.send(
    new ScanCommand({ TableName: api.table.name, ConsistentRead: true }),
  );
  return Items.filter(({ pk }) => !String(pk).startsWith('CALLS#'))
    .map((item) => JSON.stringify(item))
    .sort();
};

describe('a caller whose roles are for another database', () => {
  test.each(guarded)('sees and changes nothing by $method $path', async (route) => {
    const before = await everything();
    const invoked = api.invocations.length;
    const { status, problem } = await api.call({ ...about(route, 'shop'), databases: ['crm'] });
    expect([403, 404], JSON.stringify(problem)).toContain(status);
    const hidden = ['unknown_job', 'unknown_backup', 'unknown_alert'];
    expect([...hidden, 'database_not_allowed']).toContain(problem.code);
    expect(await everything()).toEqual(before);
    expect(api.invocations).toHaveLength(invoked);
  });

  test.each(guarded.filter((route) => pathOf(route).includes(shopsThing(route.path))))(
    'is told the same of a thing of it as of none by $method $path',
    async (route) => {
      const none = (id: string): string => `${id.slice(0, -4)}0000`;
      const call = { ...about(route, 'shop'), databases: ['crm'] };
      const there = await api.call(call);
      const id = shopsThing(route.path);
      const absent = await api.call({ ...call, path: pathOf(route, none(id)) });
      expect(JSON.stringify(there.problem).replaceAll(id, none(id))).toBe(JSON.stringify(absent.problem));
    },
  );

  test('is refused by every route about every set of other databases, however it is named', async () => {
    const names = fc.array(fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.nat(guarded.length - 1), names, async (at, others) => {
        const route = guarded[at] as RouteDefinition;
        const databases = others.filter((name) => name !== 'shop');
        const { status } = await api.call({ ...about(route, 'shop'), databases });
        expect([403, 404]).toContain(status);
      }),
      { numRuns: 60 },
    );
  });

  test('neither restores into it, nor replaces it, nor reads its backups by a restore', async () => {
    const restore = async (body: object, path = '/restore') => {
      const confirm = path === '/restore' ? { confirm: true } : {};
      const call = { method: 'POST', path, query: { database: 'crm' }, databases: ['crm'] };
      const { status, problem } = await api.call({ ...call, body: { backup_id: ofCrm.backup, ...confirm, ...body } });
      return [status, problem.code, problem.errors?.[0]?.field];
    };
    for (const path of ['/restore', '/restore/check']) {
      expect(await restore({ target_database: 'copy', environment: 'shop' }, path)).toEqual([
        ...[403, 'database_not_allowed', 'body.environment'],
      ]);
      for (const mode of [{ mode: 'swap' }, { mode: 'data' }, { mode: 'beside', tables: ['public.a'] }])
        expect(await restore({ ...mode, target_database: 'shop' }, path)).toEqual([
          ...[403, 'database_not_allowed', 'body.target_database'],
        ]);
      const unmanaged = { mode: 'swap', target_database: 'legacy', confirm_unmanaged: 'legacy' };
      expect((await restore(unmanaged, path))[1]).toBe('database_not_allowed');
      expect((await restore({ target_database: 'copy', backup_id: things.backup }, path))[1]).toBe('unknown_backup');
      // A copy of another database, with all that is in it.
      for (const template of ['shop', 'legacy'])
        expect(await restore({ target_database: 'copy', expect: { extensions: ['postgis'], template } }, path)).toEqual(
          [...[403, 'database_not_allowed', 'body.expect.template']],
        );
    }
  });

  test('does not see a job of their own database that goes to the server of another', async () => {
    const list = async (databases: string[]) => {
      const { body } = await api.call({ method: 'GET', path: '/jobs', query: { database: 'crm' }, databases });
      return body.items.map(({ id }: { id: string }) => id);
    };
    expect(await list(['crm'])).toEqual([ofCrm.job]);
    expect(await list(['crm', 'shop'])).toContain(things.restoreIntoShop);
    for (const [method, path] of [
      ['GET', `/jobs/${things.restoreIntoShop}`],
      ['POST', `/jobs/${things.restoreIntoShop}/cancel`],
    ] as const)
      expect((await api.call({ method, path, databases: ['crm'] })).problem.code).toBe('unknown_job');
  });

  test('neither sees, ends, resumes, discards nor swaps back what an administrator has restored into another from theirs', async () => {
    const began = async (body: object) => {
      const call = { method: 'POST', path: '/restore', query: { database: 'crm' } };
      const { body: job } = await api.call({ ...call, body: { backup_id: ofCrm.backup, confirm: true, ...body } });
      return job.id as string;
    };
    const jobs = [
      await began({ mode: 'swap', target_database: 'shop' }),
      await began({ mode: 'data', target_database: 'shop' }),
      await began({ mode: 'swap', target_database: 'legacy', confirm_unmanaged: 'legacy' }),
    ];
    const own = await began({ target_database: 'copy_of_crm' });
    for (const id of jobs)
      for (const [method, path, body] of [
        ['GET', `/jobs/${id}`],
        ['POST', `/jobs/${id}/cancel`],
        ['POST', `/restore/${id}/swap-back`, { confirm: true }],
        ['POST', `/restore/${id}/resume`],
        ['POST', `/restore/${id}/discard`],
      ] as const) {
        const call = { method, path, databases: ['crm'], ...(body ? { body } : {}) };
        expect([path, (await api.call(call)).problem.code]).toEqual([path, 'unknown_job']);
      }
    expect((await api.call({ method: 'GET', path: `/jobs/${own}`, databases: ['crm'] })).body.id).toBe(own);
    const { body } = await api.call({ method: 'GET', path: '/jobs', query: { database: 'crm' }, databases: ['crm'] });
    const listed = body.items.map(({ id }: { id: string }) => id);
    expect(listed).toContain(own);
    expect(listed).not.toEqual(expect.arrayContaining([jobs[0]]));
    expect(listed).not.toEqual(expect.arrayContaining([jobs[1]]));
  });

  test('gets nothing of another by the cursor of its list', async () => {
    for (const path of ['/jobs', '/backups', '/alerts', '/security/audit']) {
      const list = (databases: string[], query: object) =>
        api.call({ method: 'GET', path, databases, query: { limit: '1', ...query } });
      await makeBackup('shop');
      const { body: first } = await list(['shop'], { database: 'shop' });
      const cursor = first.next_cursor ?? '';
      if (cursor === '') continue;
      const { body, status } = await list(['crm'], { database: 'crm', cursor });
      expect([200, 400]).toContain(status);
      expect(JSON.stringify(body)).not.toContain('shop');
    }
  });

  test('is told no names of others, and each refusal is in the audit trail of the database', async () => {
    const { problem } = await api.call({
      method: 'GET',
      path: '/jobs',
      query: { database: 'gone' },
      databases: ['gone'],
    });
    expect(JSON.stringify(problem)).not.toMatch(/shop|crm/);
    await api.call({ method: 'GET', path: `/backups/${things.backup}`, databases: ['crm'], sub: 'curious' });
    const { body } = await api.call({
      method: 'GET',
      path: '/security/audit',
      query: { database: 'shop', actor: 'curious' },
    });
    expect(body.items).toMatchObject([{ operation: 'getBackup', outcome: 'refused', error: 'unknown_backup' }]);
  });
});

describe('a caller whose roles are for one database', () => {
  test('asks about it where no database is named', async () => {
    const { body } = await api.call({ method: 'GET', path: '/backups', databases: ['crm'] });
    expect(body.items.map(({ id }: { id: string }) => id)).toEqual([ofCrm.backup]);
    const started = await api.call({
      method: 'POST',
      path: '/backups',
      databases: ['crm'],
      body: { backup_type: 'full' },
    });
    expect(started.body.database).toBe('crm');
  });

  test('gets no job of another by an Idempotency-Key of the time when their roles were for it', async () => {
    const call = {
      method: 'POST',
      path: '/backups',
      body: { backup_type: 'full' },
      headers: { 'Idempotency-Key': 'one' },
    };
    const first = await api.call({ ...call, databases: ['shop'] });
    const then = await api.call({ ...call, databases: ['crm'] });
    expect([first.body.database, then.body.database]).toEqual(['shop', 'crm']);
    expect((await api.call({ ...call, databases: ['crm'] })).body.id).toBe(then.body.id);
  });

  test.each(guarded.filter((route) => route.reach === undefined))(
    'is not refused what is of it: $method $path',
    async (route) => {
      const isOfSystem = !takesDatabase(route) && !route.path.includes('{id}');
      const { problem } = await api.call({ ...about(route, 'shop'), databases: ['shop'] });
      expect(problem?.code === 'database_not_allowed').toBe(isOfSystem);
    },
  );

  test.each(guarded.filter(({ reach }) => reach === 'server'))(
    'sees what is of the server when their roles are for all of its databases: $method $path',
    async (route) => {
      const codeFor = async (databases: string[]) =>
        (await api.call({ ...about(route, 'shop'), databases })).problem?.code;
      expect(await codeFor(['shop'])).toBe('database_not_allowed');
      expect(await codeFor(['shop', 'crm'])).not.toBe('database_not_allowed');
    },
  );

  test('is refused what is of the system, by its scope and as one of its alerts', async () => {
    const path = `/alerts/${await alertOf(null)}/acknowledge`;
    expect((await api.call({ method: 'POST', path, body: {}, databases: ['shop', 'crm'] })).problem.code).toBe(
      'unknown_alert',
    );
    for (const path of ['/security/audit', '/security/audit/verify', '/alerts'])
      expect((await api.call({ method: 'GET', path, query: { scope: 'system' }, databases: ['shop'] })).status).toBe(
        403,
      );
    const all = {
      method: 'POST',
      path: '/backups/rebuild-catalog',
      query: { all: 'true' },
      databases: ['shop', 'crm'],
    };
    expect((await api.call(all)).problem.code).toBe('database_not_allowed');
  });
});

test('a token that names no database is denied where the configuration has a claim for them', async () => {
  const issuer = await startIssuer();
  const decide = createAccessControl({
    identity: identitySchema.parse({ issuer: issuer.url, audience: 'dbms', databases_claim: 'databases' }),
    readRules: async () => ({ session_max_age_minutes: 60, allowed_address_ranges: ['10.0.0.0/8'] }),
    isRevoked: async () => false,
  });
  const outcome = async (claims: object) =>
    (await decide({ authorization: `Bearer ${await issuer.token({ ...claims })}`, address: '10.1.2.3' })).outcome;
  expect([await outcome({}), await outcome({ databases: ['shop'] }), await outcome({ databases: '*' })]).toEqual([
    ...['denied', 'allowed', 'allowed'],
  ]);
  await issuer.close();
});
