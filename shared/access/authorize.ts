import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import { addressFilter } from './address.ts';
import { createTokenVerifier, TokenRefused, type VerifiedToken } from './verify-token.ts';

export interface AccessRequest {
  /** The `Authorization` header. */
  authorization: string | undefined;
  /** The caller's address, as API Gateway saw it; never a header's. */
  address: string;
}

/** `refused`: no valid token (401). `denied`: a valid one, but not from here or without any role (403). */
export type AccessDecision =
  | { outcome: 'allowed'; token: VerifiedToken }
  | { outcome: 'denied'; sub: string; reason: string }
  | { outcome: 'refused'; reason: string };

const BEARER = /^Bearer +([^\s]+)$/i;

/**
 * Makes the decision whether a caller may use the API at all. What each route needs is checked where it is served.
 *
 * @returns decides on one request; throws when the issuer's keys cannot be had
 * @throws Error when the configuration names no identity provider
 */
export function createAccessControl({
  identity,
  allowed_address_ranges: ranges,
}: Pick<RuntimeConfiguration, 'identity' | 'allowed_address_ranges'>): (
  request: AccessRequest,
) => Promise<AccessDecision> {
  if (!identity) throw new Error('The configuration names no identity provider, so no token can be verified');
  const verify = createTokenVerifier(identity);
  const isAllowed = addressFilter(ranges);
  return async ({ authorization, address }) => {
    const [, text] = BEARER.exec(authorization ?? '') ?? [];
    if (text === undefined) return { outcome: 'refused', reason: 'There is no bearer token' };
    try {
      const token = await verify(text);
      if (!isAllowed(address))
        return { outcome: 'denied', sub: token.sub, reason: 'The address is in no allowed range' };
      if (token.roles.length === 0) return { outcome: 'denied', sub: token.sub, reason: 'The token names no role' };
      return { outcome: 'allowed', token };
    } catch (error) {
      if (error instanceof TokenRefused) return { outcome: 'refused', reason: error.message };
      throw error;
    }
  };
}
