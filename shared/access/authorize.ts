import type { Identity } from '../configuration/runtime.ts';
import { addressFilter } from './address.ts';
import { claimedSubject } from './claimed-subject.ts';
import { createTokenVerifier, TokenExpired, TokenRefused, TokenUnusable, type VerifiedToken } from './verify-token.ts';

export interface AccessRequest {
  /** The `Authorization` header. */
  authorization: string | undefined;
  /** The caller's address, as API Gateway saw it; never a header's. */
  address: string;
}

/**
 * `refused`: no valid token (401). `told`: one of this system's issuer that has expired or cannot be used (401, and the caller is told why).
 * `denied`: a valid one, but not from here or without any role (403).
 */
export type AccessDecision =
  | { outcome: 'allowed'; token: VerifiedToken }
  | ({ outcome: 'denied'; sub: string } & Refused)
  | ({ outcome: 'told'; refusal: ToldRefusal } & Refused)
  | ({ outcome: 'refused' } & Refused);

interface Refused {
  reason: string;
  /** The token's `sub`; null where it has none that can be read. */
  sub: string | null;
  /** Whether the token's signature was verified: otherwise anybody may have written `sub`. */
  isVerified: boolean;
}

/** What the answer to a refused caller says. */
export interface ToldRefusal {
  code: 'token_expired' | 'session_expired' | 'token_unusable';
  detail: string;
  hint: string;
}

/** What may change while the system runs. */
export interface AccessRules {
  session_max_age_minutes: number;
  /** CIDR ranges that callers may come from. */
  allowed_address_ranges: readonly string[];
}

export interface AccessDependencies {
  identity: Identity | undefined;
  /** What holds now. */
  readRules(): Promise<AccessRules>;
  isRevoked(token: VerifiedToken): Promise<boolean>;
}

const BEARER = /^Bearer +([^\s]+)$/i;

/**
 * Makes the decision whether a caller may use the API at all. What each route needs is checked where it is served.
 *
 * @returns decides on one request; throws when the issuer's keys, the rules or the revocations cannot be had
 * @throws Error when there is no identity provider
 */
export function createAccessControl({
  identity,
  readRules,
  isRevoked,
}: AccessDependencies): (request: AccessRequest) => Promise<AccessDecision> {
  if (!identity) throw new Error('The configuration names no identity provider, so no token can be verified');
  const verify = createTokenVerifier(identity);
  return async ({ authorization, address }) => {
    const claimed = { sub: claimedSubject(authorization), isVerified: false };
    const [, text] = BEARER.exec(authorization ?? '') ?? [];
    if (text === undefined) return { outcome: 'refused', reason: 'There is no bearer token', ...claimed };
    const rules = await readRules();
    try {
      const token = await verify(text, rules.session_max_age_minutes * 60);
      const verified = { sub: token.sub, isVerified: true };
      if (!addressFilter(rules.allowed_address_ranges)(address))
        return { outcome: 'denied', ...verified, reason: 'The address is in no allowed range' };
      if (token.roles.length === 0) return { outcome: 'denied', ...verified, reason: 'The token names no role' };
      if (token.databases?.length === 0)
        return { outcome: 'denied', ...verified, reason: 'The token names no database' };
      if (await isRevoked(token)) return { outcome: 'refused', ...verified, reason: 'The token was revoked' };
      return { outcome: 'allowed', token };
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      const { message: reason } = error;
      const isTold = error instanceof TokenExpired || error instanceof TokenUnusable;
      if (!isTold) return { outcome: 'refused', reason, ...claimed };
      // Both are thrown once the signature is verified.
      const verified = { reason, ...claimed, isVerified: true };
      return addressFilter(rules.allowed_address_ranges)(address)
        ? { outcome: 'told', ...verified, refusal: tell(error, identity) }
        : { outcome: 'refused', ...verified };
    }
  };
}

function tell(error: TokenExpired | TokenUnusable, { issuer, token_help }: Identity): ToldRefusal {
  if (error instanceof TokenUnusable) {
    const hint = `Have the identity provider put a shorter one without control characters into ${error.claim}.`;
    return { code: 'token_unusable', detail: error.message, hint };
  }
  const { what, endedAt } = error;
  const time = new Date(endedAt * 1000).toISOString().replace('.000Z', 'Z');
  const hint = token_help ?? `Get a new one from ${issuer}.`;
  return what === 'token'
    ? { code: 'token_expired', detail: `The token expired at ${time}`, hint }
    : { code: 'session_expired', detail: `The token's session may be used until ${time}; sign in anew`, hint };
}
