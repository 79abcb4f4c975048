import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JwtVerifier } from 'aws-jwt-verify';
import { SimpleJwksCache } from 'aws-jwt-verify/jwk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalIssuer, startIssuer } from '../../../local/identity/issuer.ts';

const audience = 'dbms';
let stateFolder: string;
let issuer: LocalIssuer;

beforeAll(async () => {
  stateFolder = await mkdtemp(join(tmpdir(), 'local-identity-'));
  issuer = await startIssuer({ stateFolder, audience });
});
afterAll(async () => {
  await issuer.close();
  await rm(stateFolder, { recursive: true });
});

/** aws-jwt-verify fetches keys over HTTPS alone, so a plain HTTP issuer needs a fetcher. */
const fetcher = { fetch: async (uri: string) => (await fetch(uri)).arrayBuffer() };
const verify = (token: string) =>
  JwtVerifier.create(
    { issuer: issuer.issuer, audience, jwksUri: issuer.jwksUri },
    { jwksCache: new SimpleJwksCache({ fetcher }) },
  ).verify(token);

describe('minted tokens', () => {
  it.each(['viewer', 'operator', 'admin', 'auditor'] as const)('are valid for the %s', async (role) => {
    const claims = await verify(await issuer.tokenFor(role));
    expect(claims).toMatchObject({ sub: `local-${role}`, 'cognito:groups': [role], aud: audience, iss: issuer.issuer });
    expect(claims.auth_time).toBe(claims.iat);
    expect(claims.exp).toBeGreaterThan(Date.now() / 1000 + 3600);
  });

  it('take other claims, for what a verifier must refuse', async () => {
    await expect(verify(await issuer.tokenFor('admin', { exp: 1 }))).rejects.toThrow(/expired/);
    await expect(verify(await issuer.tokenFor('admin', { aud: 'another' }))).rejects.toThrow(/[Aa]udience/);
    expect(await verify(await issuer.tokenFor('admin', { 'cognito:groups': undefined }))).not.toHaveProperty(
      'cognito:groups',
    );
    const [head, , signature] = (await issuer.tokenFor('viewer')).split('.');
    const [, body] = (await issuer.tokenFor('admin')).split('.');
    await expect(verify([head, body, signature].join('.'))).rejects.toThrow(/signature/);
  });

  it('stay valid over a restart on the same port', async () => {
    const token = await issuer.tokenFor('viewer');
    await issuer.close();
    issuer = await startIssuer({ stateFolder, audience, port: Number(new URL(issuer.issuer).port) });
    expect(await verify(token)).toMatchObject({ sub: 'local-viewer' });
    expect((await stat(join(stateFolder, 'identity.json'))).mode & 0o777).toBe(0o600);
  });
});

describe('a browser', () => {
  const redirectUri = 'http://localhost:5173/callback';

  /** Follows the sign-in as a browser does, keeping cookies; gives the address it is sent back to. */
  async function signIn(parameters: Record<string, string>, sub: string): Promise<URL> {
    const jar = new Map<string, string>();
    const visit = async (url: URL, body?: URLSearchParams): Promise<Response> => {
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
      const answer = await fetch(url, {
        redirect: 'manual',
        headers: { cookie },
        ...(body ? { method: 'POST', body } : {}),
      });
      for (const line of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        jar.set(name, value);
      }
      return answer;
    };
    let url = new URL(`${issuer.issuer}/auth?${new URLSearchParams(parameters)}`);
    for (let step = 0; step < 8; step += 1) {
      let answer = await visit(url);
      if (answer.status === 200) {
        expect(await answer.text()).toContain(`value="${sub}"`);
        answer = await visit(url, new URLSearchParams({ sub }));
      }
      const location = answer.headers.get('location');
      if (!location) throw new Error(`No way on from ${url}: ${answer.status} ${await answer.text()}`);
      url = new URL(location, url);
      if (url.origin !== issuer.issuer) return url;
    }
    throw new Error('The sign-in goes round in circles');
  }

  it('signs in by code and PKCE, and gets tokens that verify', async () => {
    const discovery = await (await fetch(`${issuer.issuer}/.well-known/openid-configuration`)).json();
    expect(discovery).toMatchObject({ issuer: issuer.issuer, jwks_uri: issuer.jwksUri });
    const verifier = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const parameters = {
      client_id: audience,
      response_type: 'code',
      scope: 'openid profile email',
      redirect_uri: redirectUri,
      state: 's',
      code_challenge: challenge,
      code_challenge_method: 'S256',
    };
    const back = await signIn(parameters, 'local-operator');
    expect(back.href).toContain(redirectUri);
    expect(back.searchParams.get('state')).toBe('s');
    const form = {
      grant_type: 'authorization_code',
      client_id: audience,
      code: back.searchParams.get('code') ?? '',
      redirect_uri: redirectUri,
      code_verifier: verifier,
    };
    const answer = await fetch(`${issuer.issuer}/token`, {
      method: 'POST',
      headers: { origin: 'http://localhost:5173' },
      body: new URLSearchParams(form),
    });
    expect(answer.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
    const tokens = (await answer.json()) as { id_token: string; access_token: string };
    const claims = await verify(tokens.id_token);
    expect(claims).toMatchObject({
      sub: 'local-operator',
      'cognito:groups': ['operator'],
      name: 'Otto Operator',
      aud: audience,
    });
    expect(claims.auth_time).toBeTypeOf('number');
    expect(await verify(tokens.access_token)).toMatchObject({
      sub: 'local-operator',
      'cognito:groups': ['operator'],
      aud: audience,
    });
  });

  it('is refused without PKCE and for a page elsewhere', async () => {
    const parameters = { client_id: audience, response_type: 'code', scope: 'openid', redirect_uri: redirectUri };
    const back = await signIn(parameters, 'local-admin');
    expect(back.searchParams.get('error')).toBe('invalid_request');
    const elsewhere = await fetch(
      `${issuer.issuer}/auth?${new URLSearchParams({ ...parameters, redirect_uri: 'http://evil.example/callback' })}`,
    );
    expect(elsewhere.status).toBe(400);
  });
});
