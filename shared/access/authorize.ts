import type { Identity } from '../configuration/runtime.ts';
import { addressFilter } from './address.ts';
import { createTokenVerifier, TokenExpired, TokenRefused, type VerifiedToken } from './verify-token.ts';

export interface AccessRequest {
  /** The `Authorization` header. */
  authorization: string | undefined;
  /** The caller's address, as API Gateway saw it; never a header's. */
  address: string;
}

/** `refused`: no valid token (401). `expired`: one that was valid (401, and the caller is told). `denied`: a valid one, but not from here or without any role (403). */
export type AccessDecision =
  | { outcome: 'allowed'; token: VerifiedToken }
  | { outcome: 'denied'; sub: string; reason: string }
  | { outcome: 'expired'; reason: string; refusal: ToldRefusal }
  | { outcome: 'refused'; reason: string };

/** What the answer to a refused caller says. */
export interface ToldRefusal {
  code: 'token_expired' | 'session_expired';
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
    const [, text] = BEARER.exec(authorization ?? '') ?? [];
    if (text === undefined) return { outcome: 'refused', reason: 'There is no bearer token' };
    const rules = await readRules();
    try {
      const token = await verify(text, rules.session_max_age_minutes * 60);
      const { sub } = token;
      if (!addressFilter(rules.allowed_address_ranges)(address))
        return { outcome: 'denied', sub, reason: 'The address is in no allowed range' };
      if (token.roles.length === 0) return { outcome: 'denied', sub, reason: 'The token names no role' };
      if (await isRevoked(token)) return { outcome: 'refused', reason: 'The token was revoked' };
      return { outcome: 'allowed', token };
    } catch (error) {
      if (error instanceof TokenExpired && addressFilter(rules.allowed_address_ranges)(address))
        return { outcome: 'expired', reason: error.message, refusal: tell(error, identity) };
      if (error instanceof TokenRefused) return { outcome: 'refused', reason: error.message };
      throw error;
    }
  };
}

function tell({ what, endedAt }: TokenExpired, { issuer, token_help }: Identity): ToldRefusal {
  const time = new Date(endedAt * 1000).toISOString().replace('.000Z', 'Z');
  const hint = token_help ?? `Get a new one from ${issuer}.`;
  return what === 'token'
    ? { code: 'token_expired', detail: `The token expired at ${time}`, hint }
    : { code: 'session_expired', detail: `The token's session may be used until ${time}; sign in anew`, hint };
}
