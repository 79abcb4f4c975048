import { request } from 'node:http';
import { decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT } from 'jose';
import type { LocalSystem } from '../../../local/system.ts';
import type { RouteDefinition } from '../../../shared/contract/define-route.ts';
import { basePath, routes } from '../../../shared/contract/routes.ts';

/**
 * A call of a route that comes to nothing wherever it gets: it names a parameter that no route takes, which is said only once the
 * caller was let in. Everything that API Gateway itself asks for is there.
 */
export function harmlessCall({ method, path, query, body }: RouteDefinition) {
  const needed = Object.entries(query?.shape ?? {}).filter(([, schema]) => !schema.safeParse(undefined).success);
  const search = new URLSearchParams([
    ...needed.map(([name]): [string, string] => [name, 'x']),
    ['no_such_parameter', 'x'],
  ]);
  return {
    method,
    path: `${path.replaceAll(/\{\w+\}/g, 'x')}?${search}`,
    body: body ? {} : undefined,
  };
}

export const everyRoute: readonly RouteDefinition[] = routes;
export const guardedRoutes = everyRoute.filter(({ leastRole }) => leastRole !== 'public');

/** Tokens of an administrator that are good but for one thing, by what is wrong with them. */
export async function badTokens({ issuer, tokens }: LocalSystem): Promise<Record<string, string>> {
  const { kid = '' } = decodeProtectedHeader(tokens.admin);
  const claims = decodeJwt(tokens.admin);
  const [, body] = tokens.admin.split('.');
  const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const { privateKey } = await generateKeyPair('RS256');
  const past = Math.floor(Date.now() / 1000) - 60;
  return {
    'an expired token': await issuer.tokenFor('admin', { exp: past, iat: past - 3600, auth_time: past - 3600 }),
    'a token signed with another key': await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid })
      .sign(privateKey),
    'a token without a signature (alg none)': `${encoded({ alg: 'none', kid })}.${body}.`,
    'a token for another audience': await issuer.tokenFor('admin', { aud: 'another-application' }),
    'a token of another issuer': await issuer.tokenFor('admin', { iss: 'https://issuer.example' }),
  };
}

/** Calls the API from an address of this machine; gives the status. */
export function statusFrom(
  address: string,
  { apiUrl }: Pick<LocalSystem, 'apiUrl'>,
  token: string,
  { method, path, body }: ReturnType<typeof harmlessCall>,
): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) };
  return new Promise((resolve, reject) => {
    const sent = request(`${apiUrl}${basePath}${path}`, { method, headers, localAddress: address }, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
    });
    sent.once('error', reject).end(body && JSON.stringify(body));
  });
}
