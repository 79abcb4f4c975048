import type { JWK } from 'jose';
import Provider, { type Configuration, interactionPolicy } from 'oidc-provider';
import { createMemoryAdapter } from 'oidc-provider/lib/adapters/memory_adapter.js';
import { localUsers, userClaims } from './users.ts';

const hour = 3600;

/** How long the tokens of a browser's session last, seconds. */
const lifetimes = {
  AccessToken: hour,
  IdToken: hour,
  AuthorizationCode: 60,
  Interaction: hour,
  Session: 12 * hour,
  Grant: 12 * hour,
};

export type ProviderOptions = {
  issuer: string;
  /** The browser application's client id; tokens name it as their audience. */
  audience: string;
  /** Private, with `kid` and `alg`. */
  signingKey: JWK;
  cookieKey: string;
  /** On loopback; a native client's port is free to choose, so only the paths count. */
  redirectUris: string[];
};

/**
 * An OpenID Connect provider for the four local users: authorization code with PKCE, consent taken as given, both tokens JWTs.
 */
export function createProvider({ issuer, audience, signingKey, cookieKey, redirectUris }: ProviderOptions): Provider {
  const findUser = (sub: string | undefined) => localUsers.find((user) => user.sub === sub);
  const configuration: Configuration = {
    // Sessions may be lost at a restart, as one signs in with a click; the signing key is kept by the caller.
    adapter: createMemoryAdapter(0),
    jwks: { keys: [signingKey as never] },
    cookies: { keys: [cookieKey] },
    clients: [
      {
        client_id: audience,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        response_types: ['code'],
        redirect_uris: redirectUris,
        post_logout_redirect_uris: redirectUris,
        require_auth_time: true,
      },
    ],
    clientBasedCORS: (_context, origin) => isLoopback(origin),
    pkce: { required: () => true },
    conformIdTokenClaims: false,
    claims: { openid: ['sub', 'cognito:groups'], profile: ['name'], email: ['email'] },
    scopes: ['openid', 'profile', 'email'],
    ttl: lifetimes,
    interactions: { policy: signInOnly(), url: (_context, interaction) => `/interaction/${interaction.uid}` },
    renderError: (context, { error, error_description }) => {
      context.type = 'text/plain';
      context.body = `The sign-in failed: ${error_description ?? error}`;
    },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => `${issuer}/api`,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: '',
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: hour,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
      rpInitiatedLogout: { enabled: true },
    },
    extraTokenClaims: (_context, token) => {
      const user = 'accountId' in token ? findUser(token.accountId) : undefined;
      return user && { 'cognito:groups': [user.role] };
    },
    findAccount: (_context, sub) => {
      const user = findUser(sub);
      return user && { accountId: sub, claims: () => userClaims(user) };
    },
    loadExistingGrant: async ({ oidc }) => {
      const grant = new oidc.provider.Grant({
        clientId: audience,
        ...(oidc.session?.accountId ? { accountId: oidc.session.accountId } : {}),
      });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
  };
  return new Provider(issuer, configuration);
}

/** The usual prompts, without the one that asks every user of a native client to consent. */
function signInOnly(): interactionPolicy.DefaultPolicy {
  const policy = interactionPolicy.base();
  policy.get('consent')?.checks.remove('native_client_prompt');
  return policy;
}

function isLoopback(origin: string): boolean {
  return /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(origin);
}
