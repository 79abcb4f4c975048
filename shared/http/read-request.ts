import * as z from 'zod';
import type { RouteDefinition } from '../contract/define-route.ts';
import type { ApiEvent } from './event.ts';
import { type FieldError, Refusal } from './problem.ts';

/** Far above what any route takes. */
const MAX_BODY_BYTES = 65_536;
const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i;

/** A part of the request that the contract does not speak of has no fields. */
const nothing = z.strictObject({});

export interface ParsedRequest {
  params: unknown;
  query: unknown;
  body: unknown;
  /** The same three before the schemas have filled in what they do not say. */
  sent: { params: unknown; query: unknown; body: unknown };
}

/**
 * Reads path, query and body as the route's schemas say. All failing fields are named at once.
 *
 * @throws Refusal 400, 413 or 415
 */
export function readRequest(route: RouteDefinition, event: ApiEvent): ParsedRequest {
  const errors: FieldError[] = [];
  const check = (part: string, schema: z.ZodType, value: unknown): unknown => {
    const parsed = schema.safeParse(value, { error: inWords });
    if (parsed.success) return parsed.data;
    errors.push(...fieldErrors(part, parsed.error));
    return undefined;
  };
  const sent = {
    params: event.pathParameters ?? {},
    query: readQuery(event, errors),
    body: route.body ? readJson(event) : null,
  };
  const params = check('path', route.params ?? nothing, sent.params);
  const query = check('query', route.query ?? nothing, sent.query);
  const body = route.body ? check('body', route.body, sent.body) : undefined;
  if (errors.length === 0) return { params, query, body, sent };
  throw invalidRequest(errors);
}

export function invalidRequest(errors: readonly FieldError[]): Refusal {
  const fields = [...new Set(errors.map(({ field }) => field))].join(', ');
  return new Refusal(
    'invalid_request',
    `The request does not fit the contract: ${fields}`,
    'Correct the fields named in errors.',
    {
      errors,
    },
  );
}

/** A query as an object; a name given twice is an error, as it is unclear which one is meant. */
function readQuery(event: ApiEvent, errors: FieldError[]): Record<string, unknown> {
  const query: Record<string, unknown> = { ...event.queryStringParameters };
  for (const [name, values] of Object.entries(event.multiValueQueryStringParameters ?? {})) {
    if (values && values.length > 1) errors.push({ field: `query.${name}`, message: 'is given more than once' });
    query[name] = values?.[0];
  }
  return query;
}

function readJson({ headers, body, isBase64Encoded }: ApiEvent): unknown {
  if (!JSON_TYPE.test(headers?.['content-type'] ?? '')) {
    throw new Refusal(
      'unsupported_media_type',
      'The body must be JSON',
      'Send it with Content-Type: application/json.',
    );
  }
  const bytes = Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > MAX_BODY_BYTES) {
    throw new Refusal('body_too_large', `The body is larger than ${MAX_BODY_BYTES} bytes`, 'Send a smaller one.');
  }
  try {
    // Bytes that are no UTF-8 are refused rather than replaced: a name must arrive as it was meant.
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw invalidRequest([{ field: 'body', message: bytes.length === 0 ? 'is missing' : 'is not JSON in UTF-8' }]);
  }
}

/** What zod's own words are not plain enough for; a schema's own message goes before these. */
const inWords: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === 'invalid_value') return `must be one of: ${issue.values.map(String).join(', ')}`;
  if (issue.code !== 'invalid_type') return undefined;
  return issue.input === undefined ? 'is missing' : `must be of type ${issue.expected}`;
};

function fieldErrors(part: string, { issues }: z.ZodError): FieldError[] {
  return issues.flatMap((issue) => {
    const at = [part, ...issue.path.map(String)];
    if (issue.code !== 'unrecognized_keys') return [{ field: at.join('.'), message: issue.message }];
    return issue.keys.map((key) => ({ field: [...at, key].join('.'), message: 'is not a known field' }));
  });
}
