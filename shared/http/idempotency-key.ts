import canonicalize from 'canonicalize';
import type { RouteDefinition } from '../contract/define-route.ts';
import type { Claim } from '../state/begin.ts';
import type { Caller } from './caller.ts';
import type { ApiEvent } from './event.ts';
import { invalidRequest, type ParsedRequest } from './read-request.ts';

const HEADER = 'idempotency-key';
const KEY = /^[\x20-\x7e]{1,255}$/;

/**
 * The claim that an `Idempotency-Key` header makes: a key is its caller's and its route's own.
 *
 * @throws Refusal 400 when the header is no key
 */
export function readClaim(
  route: RouteDefinition,
  event: ApiEvent,
  caller: Caller | null,
  { params, query, body, sent }: ParsedRequest,
): Claim | undefined {
  const key = event.headers?.[HEADER];
  if (!route.idempotent || key === undefined || caller === null) return undefined;
  if (!KEY.test(key)) {
    throw invalidRequest([{ field: `headers.${HEADER}`, message: 'must be 1 to 255 printable ASCII characters' }]);
  }
  // Parsed values have the schema's order of fields, so two spellings of one request are the same text.
  const request = JSON.stringify({ params, query, body });
  // Who is limited to other databases than before asks for something else, though the words are the same.
  const limit = caller.databases === null ? '' : `\n${(query as { database?: string }).database ?? ''}`;
  return { scope: `${caller.sub}\n${route.operationId}${limit}`, key, request, sent: canonicalize(sent) ?? '' };
}
