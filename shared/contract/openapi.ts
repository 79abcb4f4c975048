import * as z from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiResponsesObject } from 'zod-openapi';
import { basePath, type RouteDefinition } from './define-route.ts';
import { routes } from './routes.ts';
import { problemSchema } from './schemas/common.ts';

const bearer = { bearer: [] };

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'Makes the request safe to repeat: within 24 hours, the same key with the same request answers the first job, with the header `Idempotent-Replayed: true`.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
} as const;

/** Statuses that a route may answer with because of what it is, and what they say. */
function refusalsOf(route: RouteDefinition): Record<number, string> {
  const hasDatabase = route.query !== undefined && 'database' in route.query.shape;
  return {
    ...(route.params || route.query || route.body
      ? { 400: 'The request does not fit the contract; `errors` names the fields.' }
      : {}),
    ...(route.leastRole === 'public'
      ? {}
      : {
          401: 'There is no valid token.',
          403: `The caller does not hold the role ${route.leastRole}, or calls from elsewhere.`,
        }),
    ...(route.params || hasDatabase ? { 404: 'There is no such thing; `errors` names the field.' } : {}),
    ...(route.body ? { 413: 'The body is too large.', 415: 'The body is not JSON.' } : {}),
    ...(route.idempotent ? { 422: 'The Idempotency-Key was used for another request.' } : {}),
    429: 'Too many requests; try again later.',
    500: 'A failure that the log explains.',
    503: 'A service cannot be reached now; try again in a few seconds.',
    ...route.refusals,
  };
}

function responsesOf(route: RouteDefinition): ZodOpenApiResponsesObject {
  const replayed = route.idempotent ? { 'Idempotent-Replayed': "`true` when the job is an earlier request's." } : {};
  const answers = Object.entries(route.responses).map(
    ([status, { description, schema, contentType, otherTypes = [], headers }]) => [
      status,
      {
        description,
        ...(schema === null
          ? {}
          : {
              content: {
                [mediaType(contentType)]: { schema },
                ...Object.fromEntries(otherTypes.map((type) => [mediaType(type), { schema: z.string() }])),
              },
            }),
        headers: Object.fromEntries(
          Object.entries({ ...headers, ...replayed }).map(([name, text]) => [
            name,
            { description: text, schema: { type: 'string' as const } },
          ]),
        ),
      },
    ],
  );
  const refusals = Object.entries(refusalsOf(route)).map(([status, description]) => [
    status,
    { description, content: { 'application/problem+json': { schema: problemSchema } } },
  ]);
  return Object.fromEntries([...answers, ...refusals]);
}

function mediaType(contentType = 'application/json'): string {
  return contentType.split(';')[0] ?? contentType;
}

function operationOf(route: RouteDefinition): ZodOpenApiOperationObject {
  const { operationId, tag, summary, description, leastRole, params, query, body, bodyExample } = route;
  return {
    operationId,
    tags: [tag],
    summary,
    description: leastRole === 'public' ? description : `${description}\n\nLeast role: \`${leastRole}\`.`,
    // For programs that want the role without reading prose.
    'x-least-role': leastRole,
    security: leastRole === 'public' ? [] : [bearer],
    ...(params || query ? { requestParams: { ...(params ? { path: params } : {}), ...(query ? { query } : {}) } } : {}),
    ...(route.idempotent ? { parameters: [idempotencyKey] } : {}),
    ...(body
      ? {
          requestBody: {
            required: true,
            content: {
              'application/json': { schema: body, ...(bodyExample === undefined ? {} : { example: bodyExample }) },
            },
          },
        }
      : {}),
    responses: responsesOf(route),
  };
}

/**
 * The API as an OpenAPI 3.1 document, made from the route table.
 *
 * @param serverUrl - where the routes' base path begins, such as `/v1` or an address; `/` by default
 */
export function createOpenApiDocument(serverUrl = '/') {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const route of routes) {
    paths[basePath + route.path] = {
      ...paths[basePath + route.path],
      [route.method.toLowerCase()]: operationOf(route),
    };
  }
  return createDocument(
    {
      openapi: '3.1.0',
      info: {
        title: 'Database Management System for PostgreSQL',
        version: '1.0.0',
        description:
          'Takes encrypted backups of PostgreSQL databases and restores them. What takes longer than a request is a job: the answer is 202 with the job, whose progress can be followed. Times are ISO 8601 in UTC. Errors are `application/problem+json` (RFC 9457).',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: serverUrl }],
      tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description: 'An OpenID Connect token of the configured issuer.',
          },
        },
      },
      paths,
    },
    // One shape for what goes in and what comes out: no schema of this API differs between the two but by its defaults.
    { outputIdSuffix: '' },
  );
}

export type OpenApiDocument = ReturnType<typeof createOpenApiDocument>;
