import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import type Provider from 'oidc-provider';
import type { Role } from '../../shared/contract/roles.ts';
import { type Listening, listen, readBody } from '../aws/http.ts';
import { openStateFile } from '../aws/state-file.ts';
import { type StateDisk, unwatchedDisk } from '../state-disk.ts';
import { loginPage } from './login-page.ts';
import { createProvider } from './provider.ts';
import { localUsers, userClaims } from './users.ts';

export type LocalIssuer = {
  /** `http://127.0.0.1:<port>`, the tokens' `iss`. */
  issuer: string;
  jwksUri: string;
  /**
   * A signed ID token of the user with this role, valid for twelve hours.
   *
   * @param overrides claims to add or replace, e.g. `exp`; `undefined` leaves one out
   */
  tokenFor(role: Role, overrides?: Readonly<Record<string, unknown>>): Promise<string>;
  port: number;
  close(): Promise<void>;
};

export type IssuerOptions = {
  stateFolder: string;
  /** 0 or none takes a free one; tokens are accepted after a restart only on the same port. */
  port?: number;
  /** The tokens' `aud`, and the client id of browser applications. */
  audience: string;
  /** Where browsers may be sent back to; on loopback, with any port. */
  redirectPaths?: readonly string[];
  /** Told of writes that fail. */
  disk?: StateDisk;
};

type State = { signingKey: JWK | null; cookieKey: string };

const algorithm = 'RS256';
const lifetimeSeconds = 12 * 3600;

/** Starts an OpenID Connect issuer on loopback, with one user per role and keys that last over restarts. */
export async function startIssuer({
  stateFolder,
  port = 0,
  audience,
  redirectPaths = ['/', '/callback', '/dashboard/'],
  disk = unwatchedDisk,
}: IssuerOptions): Promise<LocalIssuer> {
  const file = await openStateFile<State>(
    join(stateFolder, 'identity.json'),
    {
      signingKey: null,
      cookieKey: randomBytes(32).toString('base64'),
    },
    disk,
  );
  file.value.signingKey ??= await newSigningKey();
  await file.save();
  const { signingKey, cookieKey } = file.value;
  const privateKey = await importJWK(signingKey, algorithm);

  // The issuer's URL holds the port, so the server listens before there is a provider to answer.
  let answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  const server: Listening = await listen(port, (request, response) => answer?.(request, response));
  const redirectUris = ['127.0.0.1', 'localhost'].flatMap((host) =>
    redirectPaths.map((path) => `http://${host}${path}`),
  );
  const provider = createProvider({ issuer: server.url, audience, signingKey, cookieKey, redirectUris });
  const callback = provider.callback();
  answer = (request, response) => {
    if (request.url?.startsWith('/interaction/')) void interact(provider, request, response);
    else void callback(request, response);
  };

  return {
    issuer: server.url,
    port: server.port,
    jwksUri: `${server.url}/jwks`,
    tokenFor: (role, overrides = {}) => {
      const user = localUsers.find((one) => one.role === role);
      if (!user) throw new Error(`There is no local user with the role ${role}`);
      const now = Math.floor(Date.now() / 1000);
      const claims = {
        iss: server.url,
        aud: audience,
        iat: now,
        auth_time: now,
        exp: now + lifetimeSeconds,
        jti: randomUUID(),
        token_use: 'id',
        ...userClaims(user),
      };
      return new SignJWT({ ...claims, ...overrides })
        .setProtectedHeader({ alg: algorithm, typ: 'JWT', ...(signingKey.kid ? { kid: signingKey.kid } : {}) })
        .sign(privateKey);
    },
    close: server.close,
  };
}

async function newSigningKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: algorithm, use: 'sig' };
}

/** Shows the login page, and takes the user chosen there. */
async function interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const { uid, prompt } = await provider.interactionDetails(request, response);
    if (prompt.name === 'consent') {
      await provider.interactionFinished(request, response, { consent: {} }, { mergeWithLastSubmission: true });
      return;
    }
    if (request.method === 'POST') {
      const chosen = new URLSearchParams((await readBody(request)).toString('utf8')).get('sub');
      const user = localUsers.find(({ sub }) => sub === chosen);
      if (!user) throw new Error('There is no such user');
      await provider.interactionFinished(request, response, { login: { accountId: user.sub } });
      return;
    }
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'x-frame-options': 'DENY',
    });
    response.end(loginPage(`/interaction/${uid}`));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(`The sign-in could not go on (${reason}). Start it again from the application.`);
  }
}
