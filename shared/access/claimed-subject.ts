/** Beyond it a token is not decoded: headers that API Gateway takes are shorter. */
const MAX_TOKEN_CHARACTERS = 20_000;

/**
 * Whom a token says it is of. Nothing of it is verified: whoever sends the token has written what they liked. It is for records of refusals alone.
 *
 * @param authorization - the `Authorization` header
 * @returns null when it is no token that says so
 */
export function claimedSubject(authorization: string | undefined): string | null {
  const [, payload] = /^Bearer +[^.\s]*\.([\w-]+)\./i.exec(authorization?.slice(0, MAX_TOKEN_CHARACTERS) ?? '') ?? [];
  if (payload === undefined) return null;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    const sub = typeof claims === 'object' && claims !== null ? (claims as { sub?: unknown }).sub : undefined;
    return typeof sub === 'string' && sub !== '' ? sub : null;
  } catch {
    return null;
  }
}
