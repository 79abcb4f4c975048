import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export interface TestIssuer {
  url: string;
  /** How often its keys were asked for. */
  requests(): number;
  /** A token with good claims, but for those given; undefined takes one away. */
  token(
    claims?: Record<string, unknown>,
    header?: { alg?: string; kid?: string; key?: CryptoKey | Uint8Array },
  ): Promise<string>;
  rotate(): Promise<void>;
  close(): Promise<void>;
}

export const now = (): number => Math.floor(Date.now() / 1000);

/** An issuer of tokens that publishes its keys over HTTP on the loopback address. */
export async function startIssuer(): Promise<TestIssuer> {
  let version = 0;
  let keys = await generateKeyPair('RS256');
  let asked = 0;
  const server = createServer(async (_, response) => {
    asked++;
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: `key-${version}`, alg: 'RS256', use: 'sig' };
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    requests: () => asked,
    async token(claims = {}, { alg = 'RS256', kid = `key-${version}`, key = keys.privateKey } = {}) {
      const good = {
        iss: url,
        aud: 'dbms',
        sub: 'alice',
        iat: now(),
        exp: now() + 600,
        'cognito:groups': ['operator'],
      };
      const payload = Object.fromEntries(
        Object.entries({ ...good, ...claims }).filter(([, value]) => value !== undefined),
      );
      return new SignJWT(payload as JWTPayload).setProtectedHeader({ alg, kid }).sign(key);
    },
    async rotate() {
      version++;
      keys = await generateKeyPair('RS256');
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
