import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { roleIncludes, roleSchema } from '../../shared/contract/roles.ts';
import { jobSchema } from '../../shared/contract/schemas/job.ts';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { accepted, type Call, call, endOf, getBackup, problemOf, startBackup, uniqueName } from './support/api.ts';
import { badTokens, everyRoute, guardedRoutes, harmlessCall, statusFrom } from './support/every-route.ts';
import { managed, startTestSystem, type TestSystem } from './support/system.ts';

let database: ScratchDatabase;
let system: TestSystem;
let finished: string;

beforeAll(async () => {
  database = await createScratchDatabase(anyServer());
  system = await startTestSystem({
    databases: [managed(database.server, 'shop', database.name)],
    schedules: false,
    deployment: {
      allowed_address_ranges: ['127.0.0.1/32'],
      api: { requests_per_second: 10_000, burst: 5_000 },
    },
  });
  const { status, backup_id } = await endOf(system.current, (await startBackup(system.current, 'shop')).id);
  expect(status).toBe('succeeded');
  finished = backup_id ?? '';
});
afterAll(async () => {
  await system?.end();
  await database?.drop();
});

const send = (path: string, more: Call = {}) => call(system.current, path, more);
const full = { backup_type: 'full' };

describe('who may call', () => {
  test('nobody without a token', async () => {
    const answer = await send('/backups', { as: null });
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect(problemOf(answer).code).toBe('no_token');
  });

  test('nobody with a token that is none, was signed by another, or has expired', async () => {
    const { issuer, tokens } = system.current;
    const [head = '', body = ''] = tokens.admin.split('.');
    const [, , signature = ''] = tokens.viewer.split('.');
    const past = Math.floor(Date.now() / 1000) - 60;
    const expired = await issuer.tokenFor('admin', { exp: past, iat: past - 3600, auth_time: past - 3600 });
    const foreign = await issuer.tokenFor('admin', { aud: 'another-application' });
    for (const token of ['garbage', `${head}.${body}.${signature}`, `${head}.${body}.`, expired, foreign]) {
      const answer = await send('/backups', { token });
      expect(answer.status, token.slice(0, 20)).toBe(401);
      expect(problemOf(answer).code, token.slice(0, 20)).toBe(token === expired ? 'token_expired' : 'no_token');
    }
    const told = problemOf(await send('/backups', { token: expired }));
    expect(told.detail).toContain(`expired at ${new Date(past * 1000).toISOString().slice(0, 19)}`);
    expect(told.next_step).toContain('/tokens');
  });

  test.each([
    ['viewer', 'POST', '/backups', full, 403],
    ['auditor', 'POST', '/backups', full, 403],
    ['operator', 'POST', '/restore', { backup_id: newBackupId(), confirm: true, target_database: 'copy' }, 403],
    ['operator', 'DELETE', `/backups/${newBackupId()}`, undefined, 403],
    ['viewer', 'GET', '/backups', undefined, 200],
    ['auditor', 'GET', '/jobs', undefined, 200],
    ['operator', 'GET', '/jobs', undefined, 200],
  ] as const)('%s with %s %s', async (as, method, path, body, status) => {
    const answer = await send(path, { as, method, body });
    expect(answer.status).toBe(status);
    if (status === 403) expect(problemOf(answer).detail).toMatch(/role|admin|operator/);
  });

  test('a token without any role is refused', async () => {
    const token = await system.current.issuer.tokenFor('viewer', { 'cognito:groups': [] });
    const answer = await send('/backups', { token });
    expect(answer.status).toBe(403);
    problemOf(answer);
  });
});

describe('every route of the contract', () => {
  test('lets nobody in without a token, or with a bad one', async () => {
    const bad = Object.entries(await badTokens(system.current));
    for (const route of guardedRoutes) {
      const { path, ...more } = harmlessCall(route);
      const answers = await Promise.all([
        send(path, { ...more, as: null }),
        ...bad.map(([, token]) => send(path, { ...more, token })),
      ]);
      const statuses = Object.fromEntries(
        ['no token', ...bad.map(([what]) => what)].map((what, at) => [what, answers[at]?.status]),
      );
      expect(new Set(Object.values(statuses)), `${route.operationId}: ${JSON.stringify(statuses)}`).toEqual(
        new Set([401]),
      );
      for (const answer of answers) problemOf(answer);
    }
  });

  test.each(roleSchema.options)('lets %s in exactly where the contract says so', async (role) => {
    for (const route of everyRoute) {
      const { path, ...more } = harmlessCall(route);
      const { status } = await send(path, { ...more, as: role });
      const { leastRole } = route;
      const mayCall = leastRole === 'public' || roleIncludes([role], leastRole);
      // Whoever is let in is told of the parameter that does not exist.
      expect(status, route.operationId).toBe(mayCall ? 400 : 403);
    }
  });

  test('lets nobody in without a role, or from an address in no allowed range', async () => {
    const { issuer, tokens } = system.current;
    const without = await issuer.tokenFor('admin', { 'cognito:groups': ['staff'] });
    for (const route of everyRoute) {
      const harmless = harmlessCall(route);
      expect(await statusFrom('127.0.0.2', system.current, tokens.admin, harmless), route.operationId).toBe(403);
      const status = route.leastRole === 'public' ? 400 : 403;
      expect(await statusFrom('127.0.0.1', system.current, without, harmless), route.operationId).toBe(status);
    }
    expect(await statusFrom('127.0.0.1', system.current, tokens.admin, harmlessCall(everyRoute[0] as never))).toBe(400);
  });
});

describe('what does not fit is refused, naming the field', () => {
  const restore = (changes: object) => ({
    body: { backup_id: finished, confirm: true, target_database: 'copy', ...changes },
  });

  test.each<[string, () => [string, Call], number, string[]]>([
    ['an unknown field', () => ['/backups', { body: { ...full, colour: 'red' } }], 400, ['body.colour']],
    ['an unknown type of backup', () => ['/backups', { body: { backup_type: 'partial' } }], 400, ['body.backup_type']],
    ['no type of backup', () => ['/backups', { body: {} }], 400, ['body.backup_type']],
    ['a name that is a number', () => ['/backups', { body: { ...full, custom_name: 7 } }], 400, ['body.custom_name']],
    ['a name of signs', () => ['/backups', { body: { ...full, custom_name: '../etc' } }], 400, ['body.custom_name']],
    ['an empty name', () => ['/backups', { body: { ...full, custom_name: ' ' } }], 400, ['body.custom_name']],
    ['a list', () => ['/backups', { body: [] }], 400, ['body']],
    ['half a body', () => ['/backups', { body: '{"backup_type":' }], 400, ['body']],
    ['no body', () => ['/backups', { method: 'POST', body: '' }], 400, ['body']],
    ['an unknown database', () => ['/backups?database=crm', { body: full }], 404, ['query.database']],
    ['an impossible database', () => ['/backups?database=Shop!', {}], 400, ['query.database']],
    ['an unknown name in the query', () => ['/backups?colour=red', {}], 400, ['query.colour']],
    ['a name twice in the query', () => ['/jobs?limit=1&limit=2', {}], 400, ['query.limit']],
    ['an unknown status', () => ['/backups?status=lost', {}], 400, ['query.status']],
    ['a page of nothing', () => ['/jobs?limit=0', {}], 400, ['query.limit']],
    ['a page too long', () => ['/jobs?limit=201', {}], 400, ['query.limit']],
    ['a cursor that is none', () => ['/jobs?cursor=nonsense', {}], 400, ['query.cursor']],
    ['an id that is none', () => ['/backups/bkp-1', {}], 400, ['path.id']],
    ['a backup that is not there', () => [`/backups/${newBackupId()}`, {}], 404, ['path.id']],
    [
      'a backup to delete that is not there',
      () => [`/backups/${newBackupId()}`, { method: 'DELETE' }],
      404,
      ['path.id'],
    ],
    ['a job that is not there', () => [`/jobs/${newJobId()}`, {}], 404, ['path.id']],
    ['no consent', () => ['/restore', restore({ confirm: undefined })], 400, ['body.confirm']],
    ['a refused consent', () => ['/restore', restore({ confirm: false })], 400, ['body.confirm']],
    ['a consent as text', () => ['/restore', restore({ confirm: 'true' })], 400, ['body.confirm']],
    ['a backup of the wrong form', () => ['/restore', restore({ backup_id: 'x' })], 400, ['body.backup_id']],
    ['a backup that nobody made', () => ['/restore', restore({ backup_id: newBackupId() })], 404, ['body.backup_id']],
    ['no target', () => ['/restore', restore({ target_database: undefined })], 400, ['body.target_database']],
    ['an empty target', () => ['/restore', restore({ target_database: '' })], 400, ['body.target_database']],
    [
      'a target too long',
      () => ['/restore', restore({ target_database: 'é'.repeat(32) })],
      400,
      ['body.target_database'],
    ],
    ['a target with NUL', () => ['/restore', restore({ target_database: 'a\0' })], 400, ['body.target_database']],
    [
      'the target postgres',
      () => ['/restore', restore({ target_database: 'postgres' })],
      400,
      ['body.target_database'],
    ],
    [
      'several things',
      () => ['/restore?database=X', restore({ confirm: 1, more: true })],
      400,
      ['body.confirm', 'body.more', 'query.database'],
    ],
  ])('%s', async (_, request, status, fields) => {
    const answer = await send(...request());
    expect(answer.status, answer.text).toBe(status);
    const { errors = [] } = problemOf(answer);
    expect([...new Set(errors.map(({ field }) => field))].sort()).toEqual(fields);
    for (const { message } of errors) expect(message).not.toMatch(/undefined|Invalid (input|option)/);
  });

  test('a path or method that is not there is 404', async () => {
    for (const [path, method] of [
      ['/nothing', 'GET'],
      ['/jobs', 'PUT'],
      ['/backups', 'DELETE'],
      ['', 'PUT'],
    ] as const) {
      const answer = await send(path, { method });
      expect(answer.status, `${method} ${path}`).toBe(404);
      problemOf(answer);
    }
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml'])('%s is 415', async (type) => {
    const answer = await send('/backups', { body: 'backup_type=full', headers: { 'content-type': type } });
    expect(answer.status).toBe(415);
    expect(problemOf(answer).next_step).toContain('application/json');
  });

  test.each([
    ['more than a route takes', 70_000],
    ['more than the API takes', 11_000_000],
  ])('%s is 413', async (_, size) => {
    const answer = await send('/backups', { body: { ...full, custom_name: 'a'.repeat(size) } });
    expect(answer.status).toBe(413);
    problemOf(answer);
  });

  test('nothing that was refused has begun anything', async () => {
    const { json } = await send('/jobs');
    expect(json.items.map(({ kind }: { kind: string }) => kind)).toEqual(['backup']);
  });
});

describe('Idempotency-Key', () => {
  const post = (key: string, body: unknown = full) =>
    send('/backups', { body, headers: { 'idempotency-key': key }, as: 'operator' });

  test('the same request again answers the first job; another request with its key is 422', async () => {
    const key = uniqueName('key');
    const first = await post(key, { backup_type: 'full', custom_name: 'once' });
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    const again = await post(key, { custom_name: 'once', backup_type: 'full' });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(accepted(again).id).toBe(accepted(first).id);
    const other = await post(key, full);
    expect(other.status).toBe(422);
    expect(problemOf(other).errors?.map(({ field }) => field)).toEqual(['headers.idempotency-key']);
    await endOf(system.current, accepted(first).id);
    expect(accepted(await post(key, { backup_type: 'full', custom_name: 'once' })).id).toBe(accepted(first).id);
    expect((await getBackup(system.current, accepted(first).backup_id ?? '')).status).toBe('available');
  });

  test('requests at the same time make one job', async () => {
    const key = uniqueName('key');
    const answers = await Promise.all(Array.from({ length: 4 }, () => post(key)));
    const ids = new Set(answers.map((answer) => accepted(answer).id));
    expect(ids.size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(3);
    const [id = ''] = ids;
    expect((await endOf(system.current, id)).status).toBe('succeeded');
  });

  test('a key that is none is refused', async () => {
    const answer = await post('k'.repeat(256));
    expect(answer.status).toBe(400);
    expect(problemOf(answer).errors?.map(({ field }) => field)).toEqual(['headers.idempotency-key']);
  });
});

describe('lists', () => {
  test('come page by page, newest first, each entry once', async () => {
    const whole: string[] = (await send('/jobs')).json.items.map(({ id }: { id: string }) => id);
    expect(whole.length).toBeGreaterThanOrEqual(3);
    expect(whole).toEqual([...whole].sort().reverse());
    const paged: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { status, json, text } = await send(`/jobs?limit=1${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      expect(status, text).toBe(200);
      expect(json.items).toHaveLength(1);
      paged.push(jobSchema.parse(json.items[0]).id);
      cursor = json.next_cursor;
      expect(paged.length).toBeLessThanOrEqual(whole.length);
    }
    expect(paged).toEqual(whole);
  });

  test('of backups show one status where it is asked for', async () => {
    const listed = async (status: string) => (await send(`/backups?status=${status}`)).json.items.length;
    expect(await listed('available')).toBeGreaterThanOrEqual(1);
    expect(await listed('failed')).toBe(0);
  });
});

describe('the documentation', () => {
  test('is a valid OpenAPI document that has the routes that are served', async () => {
    const { status, json } = await send('/openapi.json', { as: null });
    expect(status).toBe(200);
    const { valid, errors } = await new Validator().validate(json);
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
    for (const [path, item] of Object.entries<Record<string, { security: unknown[] }>>(json.paths)) {
      for (const [method, { security }] of Object.entries(item)) {
        const there = path
          .replace('/api/database', '')
          .replace('{id}', path.includes('jobs') ? newJobId() : newBackupId());
        const { status: unnamed } = await send(there, { method: method.toUpperCase(), as: null });
        expect(unnamed, `${method} ${path}`).toBe(security.length > 0 ? 401 : 200);
      }
    }
  });

  test('is a page that loads and runs nothing', async () => {
    const { status, headers, text } = await send('/docs', { as: null });
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(headers.get('content-security-policy')).toMatch(/default-src 'none'/);
    expect(headers.get('content-security-policy')).not.toMatch(/unsafe/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(text).not.toMatch(/<script/i);
    for (const path of ['/backups/{id}', '/restore', '/jobs/{id}']) expect(text).toContain(path);
  });
});
