import { generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTokenVerifier, TokenRefused } from '../../shared/access/verify-token.ts';
import { type Identity, identitySchema } from '../../shared/configuration/runtime.ts';
import { now, startIssuer, type TestIssuer } from './issuer.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await startIssuer();
});
afterAll(() => issuer?.close());

const identity = (more: Partial<Identity> = {}): Identity =>
  identitySchema.parse({ issuer: issuer.url, audience: 'dbms', ...more });
const verify = async (token: string, more: Partial<Identity> = {}) => createTokenVerifier(identity(more))(token);

test('a good token gives its subject, email and roles', async () => {
  const token = await issuer.token({ email: 'a@example.org', 'cognito:groups': ['admin', 'staff', 'viewer'] });
  expect(await verify(token)).toEqual({
    sub: 'alice',
    email: 'a@example.org',
    roles: ['viewer', 'admin'],
    databases: null,
    jti: null,
    began: expect.any(Number),
  });
});

test("Cognito's access token names its audience as client_id", async () => {
  const access = { aud: undefined, client_id: 'dbms', token_use: 'access' };
  expect(await verify(await issuer.token(access))).toMatchObject({ sub: 'alice' });
  expect(await verify(await issuer.token({ aud: ['other', 'dbms'] }))).toMatchObject({ sub: 'alice' });
});

test.each([
  ['of another issuer', { iss: 'https://other.example' }],
  ['for another audience', { aud: 'other' }],
  ['for no audience', { aud: undefined }],
  ['for another API that our client asked for', { aud: 'https://other-api.example', client_id: 'dbms' }],
  [
    'for other APIs, of our client, that says it is an access token',
    { aud: ['a', 'b'], client_id: 'dbms', token_use: 'access' },
  ],
  ['whose audience is null', { aud: null, client_id: 'dbms', token_use: 'access' }],
  ['for an empty list of audiences', { aud: [], client_id: 'dbms', token_use: 'access' }],
  ['of our client, without an audience, that is no access token', { aud: undefined, client_id: 'dbms' }],
  ['of our client, without an audience, that is an ID token', { aud: undefined, client_id: 'dbms', token_use: 'id' }],
  ['of another client, without an audience', { aud: undefined, client_id: 'other', token_use: 'access' }],
  ['that has expired', { exp: now() - 5 }],
  ['that never expires', { exp: undefined }],
  ['that is not valid yet', { nbf: now() + 300 }],
  ['without a subject', { sub: undefined }],
  ['of a session that is too old', { auth_time: now() - 43_300 }],
  ['issued too long ago, without auth_time', { iat: now() - 43_300 }],
  ['of a session in the future', { auth_time: now() + 600 }],
  ['that does not say when its session began', { iat: undefined }],
])('a token %s is refused', async (_, claims) => {
  await expect(verify(await issuer.token(claims))).rejects.toBeInstanceOf(TokenRefused);
});

test('the age of a session counts from auth_time, however fresh the token', async () => {
  const token = await issuer.token({ auth_time: now() - 120, iat: now() });
  await expect(verify(token, { session_max_age_seconds: 60 })).rejects.toThrow('too old');
  expect(await verify(token, { session_max_age_seconds: 180 })).toMatchObject({ sub: 'alice' });
});

describe('a signature', () => {
  test('by another key under a known name is refused', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    await expect(verify(await issuer.token({}, { key: privateKey }))).rejects.toBeInstanceOf(TokenRefused);
  });

  test('made with a shared secret is refused, and so is none', async () => {
    const shared = await issuer.token(
      {},
      { alg: 'HS256', key: new TextEncoder().encode('a secret of thirty-two characters') },
    );
    await expect(verify(shared)).rejects.toBeInstanceOf(TokenRefused);
    const [, payload] = (await issuer.token()).split('.');
    const header = Buffer.from(JSON.stringify({ alg: 'none', kid: 'key-0' })).toString('base64url');
    await expect(verify(`${header}.${payload}.`)).rejects.toBeInstanceOf(TokenRefused);
    await expect(verify(`${header}.${payload}.AA`)).rejects.toBeInstanceOf(TokenRefused);
  });

  test('over other claims is refused', async () => {
    const [header, , signature] = (await issuer.token()).split('.');
    const claims = Buffer.from(
      JSON.stringify({ iss: issuer.url, aud: 'dbms', sub: 'mallory', exp: now() + 600 }),
    ).toString('base64url');
    await expect(verify(`${header}.${claims}.${signature}`)).rejects.toBeInstanceOf(TokenRefused);
  });

  test.each(['', 'x', 'a.b.c', '..', 'é.é.é'])('on %j is none', async (text) => {
    await expect(verify(text)).rejects.toBeInstanceOf(TokenRefused);
  });
});

test('keys are fetched once, and again when the issuer has a new one', async () => {
  const check = createTokenVerifier(identity());
  const before = issuer.requests();
  await Promise.all([check(await issuer.token()), check(await issuer.token())]);
  await check(await issuer.token());
  expect(issuer.requests() - before).toBe(1);
  await issuer.rotate();
  await check(await issuer.token());
  expect(issuer.requests() - before).toBe(2);
});

test.each([
  ['realm_access.roles', { realm_access: { roles: ['auditor', 'other'] } }, ['auditor']],
  ['https://example.org/roles', { 'https://example.org/roles': ['admin'] }, ['admin']],
  ['roles', { roles: 'viewer, operator' }, ['viewer', 'operator']],
  ['roles', { roles: { admin: true } }, []],
  ['roles', { roles: [['admin'], 7, 'Admin'] }, []],
  ['constructor.name', {}, []],
  ['roles', {}, []],
])('roles come from the claim %j', async (roles_claim, claims, roles) => {
  expect((await verify(await issuer.token(claims), { roles_claim })).roles).toEqual(roles);
});

test.each([
  [
    ['shop', 'crm', 'shop'],
    ['shop', 'crm'],
  ],
  ['shop, crm', ['shop', 'crm']],
  [['shop', '*'], null],
  [['Not an id', 7], []],
  [undefined, []],
  ['', []],
])('databases come from a claim that is %j', async (databases, found) => {
  const token = await issuer.token({ databases });
  expect((await verify(token, { databases_claim: 'databases' })).databases).toEqual(found);
  expect((await verify(token)).databases).toBeNull();
});

test('keys are not fetched over plain HTTP from another machine, and an issuer that is away is no refusal', async () => {
  const token = await issuer.token();
  const far = verify(token, { jwks_uri: 'http://keys.example.org/jwks.json' });
  await expect(far).rejects.toThrow('plain HTTP');
  await expect(far).rejects.not.toBeInstanceOf(TokenRefused);
  const away = verify(token, { jwks_uri: 'http://127.0.0.1:9/jwks.json' });
  await expect(away).rejects.not.toBeInstanceOf(TokenRefused);
});
