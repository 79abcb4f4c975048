import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Role, roleIncludes, roleSchema } from '../../shared/contract/roles.ts';
import { routes } from '../../shared/contract/routes.ts';
import { problemSchema } from '../../shared/contract/schemas/common.ts';
import { writeStoredSettings } from '../../shared/security/settings/settings-store.ts';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';
import { startApi, type TestApi } from './api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.close());

const pathOf = (path: string): string => path.replace('{id}', path.startsWith('/jobs') ? newJobId() : newBackupId());
const guarded = routes.filter(({ leastRole }) => leastRole !== 'public');

describe.each(guarded)('$method $path', ({ method, path, leastRole }) => {
  const call = (as: Role[] | null) =>
    api.call({ method, path: pathOf(path), as, ...(method === 'POST' ? { body: {} } : {}) });

  test('is 401 without a caller', async () => {
    const { status, headers, problem } = await call(null);
    expect([status, headers['WWW-Authenticate'], problem.code]).toEqual([401, 'Bearer', 'no_token']);
  });

  test('is 401 for an expired token, and says so, whatever else the authorizer gives', async () => {
    const refused = { refused: 'token_expired', detail: 'The token expired', hint: 'Get a new one' };
    for (const authorizer of [refused, { ...refused, sub: 'alice', roles: 'admin' }]) {
      const { status, headers, problem } = await api.call({ method, path: pathOf(path), authorizer });
      expect([status, problem.code, problem.detail, problem.next_step]).toEqual([401, ...Object.values(refused)]);
      expect(headers['WWW-Authenticate']).toBe('Bearer error="invalid_token", error_description="token_expired"');
    }
  });

  test.each(roleSchema.options)('is 403 for a role that does not include its least one: %s', async (role) => {
    const { status } = await call([role]);
    if (leastRole === 'public' || roleIncludes([role], leastRole)) expect(status).not.toBe(403);
    else expect(status).toBe(403);
  });
});

describe('a request that does not fit', () => {
  const post = (more: object) => api.call({ method: 'POST', path: '/backups', ...more });

  test('names every failing field', async () => {
    const { status, headers, problem } = await post({
      query: { database: 'Shop!', colour: 'red' },
      body: { backup_type: 'partial', custom_name: '!', extra: 1 },
    });
    expect(status).toBe(400);
    expect(headers['Content-Type']).toBe('application/problem+json');
    expect(problem).toMatchObject({
      type: 'urn:problem:invalid_request',
      title: 'Bad Request',
      status: 400,
      instance: 'request-1',
    });
    expect(problem.errors?.map(({ field }) => field).sort()).toEqual(
      ['body.backup_type', 'body.custom_name', 'body.extra', 'query.colour', 'query.database'].sort(),
    );
    expect(problem.errors?.find(({ field }) => field === 'body.custom_name')?.message).toContain(
      'starts with a letter or digit',
    );
  });

  test.each([
    ['POST', '/backups', { body: { backup_type: 'partial' } }, 'must be one of: full, schema, data, incremental'],
    ['POST', '/backups', { body: {} }, 'must be one of: full, schema, data, incremental'],
    ['POST', '/backups', { body: { backup_type: 'full', custom_name: 7 } }, 'must be of type string'],
    ['POST', '/restore', { body: { backup_id: newBackupId(), confirm: true } }, 'is missing'],
    ['GET', '/backups', { query: { status: 'lost' } }, 'must be one of: running, available, damaged, failed, deleting'],
    [
      'POST',
      '/restore',
      { body: { backup_id: newBackupId(), confirm: false, target_database: 'copy' } },
      'must be true: a restore creates a database on the server or fills tables; send "confirm": true to agree',
    ],
  ])('says what is allowed: %s %s with %j', async (method, path, more, message) => {
    const { problem } = await api.call({ method, path, ...more });
    expect(problem.errors?.map((error) => error.message)).toEqual([message]);
  });

  test('names a field once, whatever is wrong with it', async () => {
    const { problem } = await post({ body: { backup_type: 'full', custom_name: ' ' } });
    expect(problem.detail).toBe('The request does not fit the contract: body.custom_name');
  });

  test.each([
    ['no body', { body: '' }, 400],
    ['half a body', { body: '{"backup_type":' }, 400],
    ['a list', { body: [] }, 400],
    ['null', { body: 'null' }, 400],
    ['a form', { body: 'backup_type=full', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }, 415],
    ['no content type', { body: '{"backup_type":"full"}', headers: { 'Content-Type': '' } }, 415],
    ['too much', { body: { backup_type: 'full', custom_name: 'a'.repeat(70_000) } }, 413],
    [
      'bytes that are no text',
      { body: Buffer.from([0x22, 0xff, 0x22]).toString('base64'), raw: { isBase64Encoded: true } },
      400,
    ],
  ])('%s is refused', async (_, call, status) => {
    const answer = await post(call);
    expect(answer.status).toBe(status);
    expect(problemSchema.safeParse(answer.problem).success).toBe(true);
  });

  test('a name given twice in the query is refused', async () => {
    const answer = await api.call({
      method: 'GET',
      path: '/jobs',
      raw: { queryStringParameters: { limit: '2' }, multiValueQueryStringParameters: { limit: ['1', '2'] } },
    });
    expect(answer.problem.errors).toEqual([{ field: 'query.limit', message: 'is given more than once' }]);
  });

  test('a path or a method that is not there is said so', async () => {
    expect((await api.call({ method: 'GET', path: '/nothing' })).status).toBe(404);
    const { status, headers } = await api.call({ method: 'PUT', path: '/jobs' });
    expect([status, headers.Allow]).toEqual([405, 'GET']);
  });

  test.each([
    ['/backups', { database: 'unknown' }, 404, 'query.database'],
    ['/jobs', { database: 'unknown' }, 404, 'query.database'],
    ['/jobs', { cursor: 'nonsense' }, 400, 'query.cursor'],
    ['/jobs', { limit: '0' }, 400, 'query.limit'],
    ['/backups', { status: 'lost' }, 400, 'query.status'],
    ['/jobs/job-1', {}, 400, 'path.id'],
    [`/jobs/${newJobId()}`, {}, 404, 'path.id'],
  ])('%s with %j is %i at %s', async (path, query, status, field) => {
    const answer = await api.call({ method: 'GET', path, query });
    expect(answer.status).toBe(status);
    expect(answer.problem.errors?.map((error) => error.field)).toEqual([field]);
  });

  test('whatever is sent, the answer is a refusal in the contract, never a failure', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.record({ backup_id: fc.jsonValue(), confirm: fc.jsonValue(), target_database: fc.string() }),
        ),
        fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
        async (body, query) => {
          const { status, problem } = await api.call({ method: 'POST', path: '/restore', body, query });
          expect(status).toBeGreaterThanOrEqual(400);
          expect(status).toBeLessThan(500);
          expect(problemSchema.safeParse(problem).success).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });
});

test('an answer of data is not kept by caches, and tells a browser to be careful', async () => {
  const { status, headers } = await api.call({ method: 'GET', path: '/jobs', as: ['viewer'] });
  expect(status).toBe(200);
  expect(headers).toMatchObject({
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Strict-Transport-Security': expect.stringContaining('max-age='),
    'Content-Security-Policy': expect.stringContaining("default-src 'none'"),
    'Referrer-Policy': 'no-referrer',
  });
  const refused = await api.call({ method: 'GET', path: '/jobs', as: null });
  expect(refused.headers).toMatchObject({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
});

test('a failure of the service behind says nothing of it but that it may pass', async () => {
  await api.services.faults.set({
    service: 'dynamodb',
    operation: 'Query',
    status: 500,
    code: 'InternalServerError',
    message: 'rack 7',
    times: 99,
  });
  const failed = await api.call({ method: 'GET', path: '/jobs' });
  await api.services.faults.clear();
  expect(failed.status).toBe(503);
  expect(failed.headers['Retry-After']).toBe('5');
  await api.services.faults.set({
    service: 'dynamodb',
    operation: 'Query',
    status: 400,
    code: 'AccessDeniedException',
    message: 'role arn:x',
    times: 99,
  });
  const broken = await api.call({ method: 'GET', path: '/jobs' });
  await api.services.faults.clear();
  expect(broken.status).toBe(500);
  expect(JSON.stringify([failed.body, broken.body])).not.toMatch(/rack 7|arn:x/);
});

test('the documentation needs no token, and speaks of the address it was asked at', async () => {
  const document = await api.call({ method: 'GET', path: '/openapi.json', as: null });
  expect(document.status).toBe(200);
  expect(document.body).toMatchObject({ openapi: '3.1.0', servers: [{ url: '/v1' }] });
  const page = await api.call({ method: 'GET', path: '/docs', as: null });
  expect(page.headers['Content-Type']).toBe('text/html; charset=utf-8');
  expect(page.headers['Content-Security-Policy']).toMatch(/style-src 'sha256-/);
  expect(page.body).toContain('href="/v1/api/database/openapi.json"');
});

test('a caller who makes too many calls in a minute is told when to come back, and nobody else', async () => {
  const { documents, name } = api.table;
  const { body } = await api.call({ method: 'GET', path: '/security/settings' });
  const settings = { ...body.settings, requests_per_minute: 3 };
  expect(await writeStoredSettings(api.table, body.version, settings, 'alice', new Date())).not.toBeNull();
  // Settings are believed for some seconds by this clock.
  vi.useFakeTimers({ toFake: ['performance'] });
  vi.advanceTimersByTime(600_000);
  await vi.waitFor(
    async () => {
      const { status, headers, problem } = await api.call({ method: 'GET', path: '/jobs', sub: 'mallory' });
      expect([status, problem.code]).toEqual([429, 'too_many_calls']);
      expect(Number(headers['Retry-After'])).toBeGreaterThanOrEqual(1);
      expect(Number(headers['Retry-After'])).toBeLessThanOrEqual(60);
    },
    { timeout: 90_000, interval: 20 },
  );
  vi.useRealTimers();
  expect((await api.call({ method: 'GET', path: '/jobs', sub: 'bob' })).status).toBe(200);
  expect((await api.call({ method: 'GET', path: '/openapi.json', as: null })).status).toBe(200);
  const { Items = [] } = await documents.send(new ScanCommand({ TableName: name }));
  const counters = Items.filter(({ pk }) => String(pk).startsWith('CALLS#'));
  expect(JSON.stringify(counters)).not.toContain('mallory');
  for (const { expires_at_epoch } of counters) expect(expires_at_epoch).toBeLessThan(Date.now() / 1000 + 180);
});
