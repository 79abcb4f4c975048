import { JwtVerifier } from 'aws-jwt-verify';
import { FetchError, JwtBaseError, JwtExpiredError } from 'aws-jwt-verify/error';
import { SimpleJwksCache } from 'aws-jwt-verify/jwk';
import * as z from 'zod';
import { databaseIdSchema, type Identity } from '../configuration/runtime.ts';
import { type Role, roleSchema } from '../contract/roles.ts';
import { MAX_TOKEN_ID, tokenIdSchema } from '../contract/schemas/access.ts';
import { keyFetcher } from './fetch-keys.ts';

export interface VerifiedToken {
  sub: string;
  email: string | null;
  /** Those of the four roles that the token names; may be none. */
  roles: Role[];
  /** Ids of the databases that the roles are for; null: all. */
  databases: string[] | null;
  /** The token's own id. */
  jti: string | null;
  /** When its session began, in seconds since the epoch. */
  began: number;
}

/** The token is no token of this system, or no longer. Says why, for the log; the caller learns only that it is refused. */
export class TokenRefused extends Error {
  override readonly name: string = 'TokenRefused';
}

/**
 * The issuer made the token for this system, but its time is over. Only this kind of refusal is told to the caller: whoever holds such a token
 * learns nothing that it does not say itself.
 */
export class TokenExpired extends TokenRefused {
  /** `token`: by its `exp`; `session`: by the age that a session may have. */
  readonly what: 'token' | 'session';
  /** Seconds since the epoch. */
  readonly endedAt: number;

  constructor(what: 'token' | 'session', endedAt: number) {
    super(what === 'token' ? 'The token has expired' : 'The session is too old');
    this.what = what;
    this.endedAt = endedAt;
  }
}

/**
 * The issuer made the token for this system, but it cannot be used here, whoever sends it. Its holder is told which claim is at fault, as nobody
 * else can have it changed.
 */
export class TokenUnusable extends TokenRefused {
  readonly claim: 'sub' | 'jti';

  constructor(claim: 'sub' | 'jti') {
    super(`The token's ${claim} is longer than ${MAX_TOKEN_ID} characters, or has control characters`);
    this.claim = claim;
  }
}

/** Clocks of issuer and verifier may differ a little. */
const CLOCK_SKEW_SECONDS = 60;

const claimsSchema = z.looseObject({
  sub: z.string().min(1),
  // The library checks what `exp` says; that it says something is checked here.
  exp: z.number(),
  iat: z.number().optional(),
  auth_time: z.number().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  client_id: z.string().optional(),
  email: z.string().optional(),
  jti: z.string().min(1).optional(),
});

/**
 * Makes a verifier of an issuer's tokens; its keys are fetched once and again when a token names an unknown one. Only
 * asymmetric signatures are accepted (RS, ES, EdDSA), whatever the token or the key says.
 *
 * @returns verifies one token, whose session may be as old as is said (in seconds; by default as configured); throws
 * {@link TokenRefused}, or another error when the keys cannot be had
 */
export function createTokenVerifier(
  identity: Identity,
  now: () => number = Date.now,
): (token: string, maxAgeSeconds?: number) => Promise<VerifiedToken> {
  const verifier = JwtVerifier.create(
    {
      issuer: identity.issuer,
      // Checked below: Cognito's access tokens have none.
      audience: null,
      // An expired token is looked at all the same, to tell its holder from anybody.
      includeRawJwtInErrors: true,
      ...(identity.jwks_uri === undefined ? {} : { jwksUri: identity.jwks_uri }),
    },
    { jwksCache: new SimpleJwksCache({ fetcher: keyFetcher() }) },
  );

  return async (token, maxAgeSeconds = identity.session_max_age_seconds) => {
    const payload = await verifier.verify(token).catch((error: unknown) => {
      // The signature has been verified by then, the rest of the claims has not.
      if (error instanceof JwtExpiredError && isFor(identity, error.rawJwt?.payload))
        throw new TokenExpired('token', Number(error.rawJwt?.payload.exp));
      if (error instanceof JwtBaseError && !(error instanceof FetchError)) throw new TokenRefused(error.message);
      throw error;
    });
    const parsed = claimsSchema.safeParse(payload);
    if (!parsed.success) throw new TokenRefused(`Claims are missing or malformed: ${z.prettifyError(parsed.error)}`);
    const claims = parsed.data;
    if (!isFor(identity, claims)) {
      throw new TokenRefused('The token is for another audience');
    }
    for (const claim of ['sub', 'jti'] as const)
      if (!tokenIdSchema.optional().safeParse(claims[claim]).success) throw new TokenUnusable(claim);
    const began = claims.auth_time ?? claims.iat;
    if (began === undefined) throw new TokenRefused('The token does not say when its session began');
    const age = now() / 1000 - began;
    if (age < -CLOCK_SKEW_SECONDS) throw new TokenRefused('The session begins in the future');
    if (age > maxAgeSeconds) throw new TokenExpired('session', began + maxAgeSeconds);
    const { sub, email = null, jti = null } = claims;
    const { roles_claim, databases_claim } = identity;
    return {
      sub,
      email,
      roles: rolesOf(claims, roles_claim),
      databases: databasesOf(claims, databases_claim),
      jti,
      began,
    };
  };
}

/**
 * Whether a token is of the issuer and for this system's audience. What `aud` says is final (RFC 9068, section 4): a client of ours may hold tokens
 * for other APIs, and whoever runs such an API must not be able to use them here. Cognito's access tokens alone have no `aud`; they name the client
 * that they were issued to, and say that they are access tokens.
 */
function isFor({ issuer, audience }: Identity, claims: object | undefined): boolean {
  const { iss, aud, client_id, token_use } = (claims ?? {}) as Readonly<Record<string, unknown>>;
  if (iss !== issuer) return false;
  return aud === undefined ? token_use === 'access' && client_id === audience : [aud].flat().includes(audience);
}

/** The roles among a claim's values. */
function rolesOf(claims: Readonly<Record<string, unknown>>, name: string): Role[] {
  const names = valuesOf(claims, name);
  return roleSchema.options.filter((role) => names.includes(role));
}

const ALL_DATABASES = '*';

/** The databases among a claim's values; null for all. What is no id of a database, such as a role in the same claim, is left out. */
function databasesOf(claims: Readonly<Record<string, unknown>>, name: string | undefined): string[] | null {
  if (name === undefined) return null;
  const names = valuesOf(claims, name);
  if (names.includes(ALL_DATABASES)) return null;
  return [...new Set(names)].flatMap((each) => databaseIdSchema.safeParse(each).data ?? []);
}

/**
 * A claim's values. The claim is found under its name as it is (`cognito:groups`, a URL), or else as a path through objects
 * (`realm_access.roles`); it is a list, or a text with spaces or commas.
 */
function valuesOf(claims: Readonly<Record<string, unknown>>, name: string): readonly unknown[] {
  const value = Object.hasOwn(claims, name) ? claims[name] : name.split('.').reduce<unknown>(member, claims);
  return Array.isArray(value) ? value : typeof value === 'string' ? value.split(/[\s,]+/) : [];
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
