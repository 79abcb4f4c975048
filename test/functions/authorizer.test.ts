import { Logger } from '@aws-lambda-powertools/logger';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { APIGatewayRequestAuthorizerEvent } from 'aws-lambda';
import { generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { AuditRecord } from '../../shared/contract/schemas/audit.ts';
import { now, startIssuer, type TestIssuer } from '../access/issuer.ts';
import { startApi, type TestApi } from './api.ts';

let issuer: TestIssuer;
let api: TestApi;
let handler: typeof import('../../functions/authorizer.ts').handler;
beforeAll(async () => {
  issuer = await startIssuer();
  api = await startApi({ issuer: issuer.url, audience: 'dbms' });
  handler = (await import('../../functions/authorizer.ts')).handler;
});
afterAll(async () => {
  await api?.close();
  await issuer?.close();
});

const methodArn = 'arn:aws:execute-api:eu-west-1:111122223333:abc123/v1/GET/api/database/jobs';
const event = (headers: Record<string, string>, sourceIp = '10.1.2.3') =>
  ({
    type: 'REQUEST',
    methodArn,
    headers,
    requestContext: { requestId: 'request-1', identity: { sourceIp } },
  }) as unknown as APIGatewayRequestAuthorizerEvent;
const statementOf = (effect: string) => ({
  policyDocument: {
    Statement: [
      {
        Action: 'execute-api:Invoke',
        Effect: effect,
        Resource: 'arn:aws:execute-api:eu-west-1:111122223333:abc123/v1/*',
      },
    ],
  },
});

test('a good token opens the stage, and says who calls', async () => {
  const token = await issuer.token({ 'cognito:groups': ['operator', 'auditor'], email: 'a@example.org' });
  for (const name of ['Authorization', 'authorization']) {
    expect(await handler(event({ [name]: `Bearer ${token}` }))).toMatchObject({
      principalId: 'alice',
      ...statementOf('Allow'),
      context: { sub: 'alice', roles: 'operator auditor', email: 'a@example.org' },
    });
  }
});

test.each([
  ['nothing', {}],
  ['another scheme', { Authorization: 'Basic YTpi' }],
  ['no token', { Authorization: 'Bearer ' }],
  ['nonsense', { Authorization: 'Bearer x.y.z' }],
])('%s is unauthorized', async (_, headers) => {
  await expect(handler(event(headers as Record<string, string>))).rejects.toThrow(/^Unauthorized$/);
});

test('an expired token comes to the functions without a caller, and they can say why', async () => {
  const exp = now() - 5;
  const { context, principalId } = await handler(event({ Authorization: `Bearer ${await issuer.token({ exp })}` }));
  expect([principalId, context]).toEqual([
    'nobody',
    {
      refused: 'token_expired',
      detail: `The token expired at ${new Date(exp * 1000).toISOString().replace('.000Z', 'Z')}`,
      hint: `Get a new one from ${issuer.url}.`,
    },
  ]);
});

test('an expired token tells nothing when it is also for another audience, of another issuer, signed by another, or from elsewhere', async () => {
  const exp = now() - 5;
  const { privateKey } = await generateKeyPair('RS256');
  for (const token of [
    await issuer.token({ exp, aud: 'other' }),
    await issuer.token({ exp, iss: 'https://other.example' }),
    await issuer.token({ exp }, { key: privateKey }),
  ])
    await expect(handler(event({ Authorization: `Bearer ${token}` }))).rejects.toThrow(/^Unauthorized$/);
  await expect(
    handler(event({ Authorization: `Bearer ${await issuer.token({ exp })}` }, '203.0.113.9')),
  ).rejects.toThrow(/^Unauthorized$/);
});

test('a good token from an address in no allowed range is denied, whatever a header says', async () => {
  const token = await issuer.token();
  const headers = { Authorization: `Bearer ${token}`, 'X-Forwarded-For': '10.1.2.3' };
  expect(await handler(event(headers, '203.0.113.9'))).toMatchObject(statementOf('Deny'));
});

test('a good token without any of the roles is denied', async () => {
  const token = await issuer.token({ 'cognito:groups': ['staff'] });
  expect(await handler(event({ Authorization: `Bearer ${token}` }))).toMatchObject(statementOf('Deny'));
});

test.each(['sub', 'jti'])('a token whose %s is too long or has control characters is told so', async (claim) => {
  for (const text of ['x'.repeat(4000), 'alice\nadmin']) {
    const { context } = await handler(event({ Authorization: `Bearer ${await issuer.token({ [claim]: text })}` }));
    expect(context).toMatchObject({
      refused: 'token_unusable',
      detail: `The token's ${claim} is longer than 255 characters, or has control characters`,
      hint: expect.stringContaining('identity provider'),
    });
    const answer = await api.call({ method: 'GET', path: '/jobs', authorizer: context as Record<string, string> });
    expect([answer.status, answer.problem.code]).toEqual([401, 'token_unusable']);
  }
});

describe('a refused authentication', () => {
  const recordsFrom = async (address: string | null) => {
    const query = { scope: 'system', operation: 'authenticate', limit: '200' };
    const { body } = await api.call({ method: 'GET', path: '/security/audit', query });
    return (body.items as AuditRecord[]).filter((record) => record.address === address).reverse();
  };
  const send = (token: string, sourceIp: string) =>
    handler(event({ Authorization: `Bearer ${token}` }, sourceIp)).catch(() => undefined);
  beforeAll(() => {
    // All within one minute, wherever the test falls.
    vi.useFakeTimers({ toFake: ['Date'], now: Math.floor(Date.now() / 60_000) * 60_000 + 1000 });
  });
  afterAll(() => {
    vi.useRealTimers();
  });

  test('is a record with address, reason, and the subject that it claims', async () => {
    await send(await issuer.token({ sub: 'mallory\n\u202eecila', aud: 'other' }), '10.9.0.1');
    expect(await recordsFrom('10.9.0.1')).toMatchObject([
      {
        source: 'api',
        actor: 'unknown',
        outcome: 'refused',
        error: 'no_valid_token',
        request: {
          reason: 'The token is for another audience',
          claimed_subject: 'mallory\\u{a}\\u{202e}ecila',
          attempts_at_least: 1,
        },
      },
    ]);
    await send(await issuer.token({ 'cognito:groups': [] }), '10.9.0.2');
    const [denied] = await recordsFrom('10.9.0.2');
    expect(denied).toMatchObject({ actor: 'alice', error: 'access_denied' });
    expect(denied?.request).not.toHaveProperty('claimed_subject');
  });

  test('is in the log with address and subject, escaped', async () => {
    const written = vi.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined);
    await send(await issuer.token({ sub: 'mallory\u2028{"level":"INFO"}', iss: 'https://other.example' }), '10.9.0.3');
    expect(written).toHaveBeenCalledWith(
      'Access was not given',
      expect.objectContaining({ address: '10.9.0.3', claimedSubject: 'mallory\\u{2028}{"level":"INFO"}' }),
    );
    written.mockRestore();
  });

  test('that comes 30 times from an address in a minute is two records, and little is written', async () => {
    const written = vi.spyOn(api.auditTable.documents.constructor.prototype, 'send');
    for (let attempt = 0; attempt < 30; attempt++) await send('x.y.z', '10.9.0.4');
    const updates = written.mock.calls.filter(([command]) => command instanceof UpdateCommand).length;
    written.mockRestore();
    const attempts = (await recordsFrom('10.9.0.4')).map(
      ({ request }) => (request as { attempts_at_least: number }).attempts_at_least,
    );
    expect(attempts).toEqual([1, 10]);
    expect(updates).toBeLessThan(8);
  });

  test('of many addresses has few records, and addresses of one network of IPv6 are one', async () => {
    const hosts = Array.from({ length: 100 }, (_, host) => `10.8.0.${host}`);
    await Promise.all(hosts.map((host) => send('x.y.z', host)));
    for (let host = 1; host < 5; host++) await send('x.y.z', `2001:db8:0:7::${host}`);
    const query = { scope: 'system', operation: 'authenticate', limit: '200' };
    const { body } = await api.call({ method: 'GET', path: '/security/audit', query });
    const records = body.items as AuditRecord[];
    expect(records.length).toBeLessThan(30);
    expect(records.filter(({ address }) => address === null)).toMatchObject([{ request: { addresses_at_least: 100 } }]);
  });

  test('is refused all the same when it cannot be recorded', async () => {
    const fault = { service: 'dynamodb', operation: 'UpdateItem', status: 400, times: 1 } as const;
    await api.services.faults.set({ ...fault, code: 'AccessDeniedException', message: 'no' });
    await expect(handler(event({ Authorization: 'Bearer x.y.z' }, '10.9.0.5'))).rejects.toThrow(/^Unauthorized$/);
    await api.services.faults.clear();
  });
});

const authorize = async (claims: Record<string, unknown>, sourceIp?: string): Promise<string> =>
  handler(event({ Authorization: `Bearer ${await issuer.token(claims)}` }, sourceIp)).then(
    ({ policyDocument, context }) => String(context?.refused ?? policyDocument.Statement[0]?.Effect ?? ''),
    (error: Error) => error.message,
  );
const revoke = (body: unknown) => api.call({ method: 'POST', path: '/security/access/revocations', body });

describe('a revocation', () => {
  test('of a token ends it alone', async () => {
    expect(await authorize({ jti: 'one' })).toBe('Allow');
    const { status, body } = await revoke({ jti: 'one' });
    expect([status, body.revocations]).toEqual([
      200,
      [{ jti: 'one', sub: null, before: null, by: 'alice', at: expect.any(String) }],
    ]);
    expect(await authorize({ jti: 'one' })).toBe('Unauthorized');
    expect(await authorize({ jti: 'two' })).toBe('Allow');
    expect(await authorize({})).toBe('Allow');
  });

  test('of a caller ends the sessions that began before, however fresh their tokens, and no later one', async () => {
    const before = new Date((now() - 100) * 1000).toISOString();
    await revoke({ sub: 'bob', before });
    expect(await authorize({ sub: 'bob', auth_time: now() - 200 })).toBe('Unauthorized');
    expect(await authorize({ sub: 'bob', auth_time: now() - 50 })).toBe('Allow');
    expect(await authorize({ sub: 'alice', auth_time: now() - 200 })).toBe('Allow');
    const { body } = await revoke({ sub: 'bob', before: new Date((now() - 500) * 1000).toISOString() });
    expect(body.revocations.find(({ sub }: { sub: string }) => sub === 'bob')?.before).toBe(before);
  });

  test.each([
    [{ sub: 'bob', before: '2999-01-01T00:00:00Z' }, 400, 'body.before'],
    [{ jti: '' }, 400, 'body.jti'],
    [{ jti: 'one', sub: 'bob' }, 400, 'body'],
    [{ jti: 'one', before: '2026-01-01T00:00:00Z' }, 400, 'body.before'],
    [{}, 400, 'body'],
  ])('is refused: %j', async (body, status, field) => {
    const answer = await revoke(body);
    expect([answer.status, answer.problem.errors?.[0]?.field]).toEqual([status, field]);
  });
});

test('settings hold within seconds: the age of sessions, and where callers may come from', async () => {
  // Settings are believed for some seconds by this clock.
  vi.useFakeTimers({ toFake: ['performance'] });
  const change = async (settings: object) => {
    const path = '/security/settings';
    const { version } = (await api.call({ method: 'GET', path })).body;
    expect((await api.call({ method: 'PUT', path, body: { version, settings } })).status).toBe(200);
    vi.advanceTimersByTime(600_000);
  };
  expect(await authorize({ auth_time: now() - 600 })).toBe('Allow');
  await change({ session_max_age_minutes: 5 });
  expect(await authorize({ auth_time: now() - 600 })).toBe('session_expired');
  expect(await authorize({ auth_time: now() - 100 })).toBe('Allow');
  await change({ session_max_age_minutes: 720, allowed_address_ranges: ['10.1.0.0/16'] });
  expect([await authorize({}, '10.1.2.3'), await authorize({}, '10.2.0.1')]).toEqual(['Allow', 'Deny']);
  vi.useRealTimers();
});

test('where revocations cannot be read nobody is let in', async () => {
  const code = 'AccessDeniedException';
  await api.services.faults.set({
    service: 'dynamodb',
    operation: 'GetItem',
    status: 400,
    code,
    message: 'no',
    times: 9,
  });
  expect(await authorize({ jti: 'three' })).toMatch(/^no/);
  await api.services.faults.clear();
});
