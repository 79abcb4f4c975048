import type { Logger } from '@aws-lambda-powertools/logger';
import middy from '@middy/core';
import httpHeaderNormalizer from '@middy/http-header-normalizer';
import httpSecurityHeaders from '@middy/http-security-headers';
import { basePath, type RouteDefinition, type RouteInput, type RouteOutput } from '../contract/define-route.ts';
import { type ApiFunction, type Route, routes } from '../contract/routes.ts';
import type { Claim } from '../state/begin.ts';
import { type ApiAudit, openApiAudit, recordRefusal, subjectOfCall } from './audited-route.ts';
import { type Caller, readCaller } from './caller.ts';
import type { ApiEvent, ApiResult } from './event.ts';
import { readClaim } from './idempotency-key.ts';
import { limitCalls } from './limit-calls.ts';
import { limitDatabases } from './limit-databases.ts';
import { createLogger } from './log.ts';
import { problemOf, Refusal } from './problem.ts';
import { type ParsedRequest, readRequest } from './read-request.ts';

/** What a route's implementation is given. */
export interface ApiRequest<Definition extends RouteDefinition> extends RouteInput<Definition> {
  caller: Definition['leastRole'] extends 'public' ? null : Caller;
  /** Of an `Idempotency-Key` header; undefined without one. */
  claim: Claim | undefined;
  requestId: string;
  /** The caller's address; null where nobody knows it. */
  address: string | null;
  /** The address of a path of this API, as the caller reaches it. */
  link(path: `/${string}`): string;
}

type ServedBy<Name extends ApiFunction> = Extract<Route, { readonly servedBy: Name }>;

/** The implementations of all routes that a function serves, by operation. */
export type Implementations<Name extends ApiFunction> = {
  [Served in ServedBy<Name> as Served['operationId']]: (request: ApiRequest<Served>) => Promise<RouteOutput<Served>>;
};

/** Nothing is loaded, framed or run by an answer unless its route says so. */
const CONTENT_SECURITY_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** What the dispatcher knows of every route alike; the types of {@link Implementations} hold for each one. */
type AnyImplementation = (request: ApiRequest<RouteDefinition>) => Promise<{
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
  text?: string;
  contentType?: string;
}>;

/**
 * The Lambda handler of an API function: finds the route in the contract, checks the caller's role, validates the request,
 * runs its implementation, with one record of the audit trail (of a change: between two), and answers; every error becomes problem+json.
 *
 * @example
 * export const handler = createApiHandler('jobs-api', { getJob: async ({ params }) => ({ status: 200, body: await jobs.get(params.id) }), ... });
 */
export function createApiHandler<Name extends ApiFunction>(
  name: Name,
  implementations: NoInfer<Implementations<Name>>,
  logger: Logger = createLogger(name),
) {
  let audit: ApiAudit | undefined;
  const auditOf = (): ApiAudit => {
    audit ??= openApiAudit(logger);
    return audit;
  };
  const serve = async (event: ApiEvent): Promise<ApiResult> => {
    const route = findRoute(name, event);
    if (route.leastRole !== 'public') await limitCalls(auditOf().state, event);
    const { caller, request, claim } = await readCall(route, event, auditOf).catch(async (error: unknown) => {
      if (route.leastRole !== 'public') await recordRefusal(auditOf(), route, event, error, logger);
      throw error;
    });
    const run = ({ operationId }: RouteDefinition, { params, query, body }: ParsedRequest) =>
      (implementations[operationId as keyof Implementations<Name>] as unknown as AnyImplementation)({
        ...({ params, query, body } as RouteInput<RouteDefinition>),
        caller: caller as Caller,
        claim,
        requestId: event.requestContext.requestId,
        address: event.requestContext.identity?.sourceIp ?? null,
        link: (path) => linkTo(event, path),
      });
    // What is public tells nothing but how the API is.
    if (caller === null) return respond(route, await run(route, request));
    const subject = await subjectOfCall(auditOf(), route, event, caller.sub, request);
    const { auditor } = auditOf();
    if (route.method === 'GET') return auditor.observed(subject, async () => respond(route, await run(route, request)));
    return auditor.audited(subject, async (note) => {
      note.before = await asItIs(route, request, run);
      const answer = await run(route, request);
      note.after = answer.body;
      return respond(route, answer);
    });
  };

  return middy<ApiEvent, ApiResult>()
    .use(
      httpSecurityHeaders({
        contentSecurityPolicy: false,
        permissionsPolicy: false,
        reportTo: false,
        reportingEndpoints: false,
      }),
    )
    .use(requestLog(logger))
    .use(problems(logger))
    .use(httpHeaderNormalizer())
    .handler(serve);
}

/** @throws Refusal */
async function readCall(route: Route, event: ApiEvent, audit: () => ApiAudit) {
  const caller = readCaller(route, event);
  const asked = readRequest(route, event);
  const request = caller === null ? asked : await limitDatabases(audit(), route, caller, asked);
  return { caller, request, claim: readClaim(route, event, caller, request) };
}

/**
 * What a change is about to change: what the route that shows it answers, where the same function serves one at the same path.
 *
 * @returns null when there is none, or it cannot be shown
 */
async function asItIs(
  route: Route,
  request: ParsedRequest,
  run: (route: RouteDefinition, request: ParsedRequest) => ReturnType<AnyImplementation>,
): Promise<unknown> {
  const shows = routes.find(
    ({ method, path, servedBy }) => method === 'GET' && path === route.path && servedBy === route.servedBy,
  );
  // A list is not what one of its entries is added to.
  if (!shows || route.method === 'POST') return null;
  const query = 'query' in shows ? shows.query.strip().safeParse(request.query).data : {};
  return run(shows, { ...request, query, body: undefined }).then(
    ({ body }) => body ?? null,
    () => null,
  );
}

/** @throws Refusal 404 or 405 */
function findRoute(name: ApiFunction, { resource, httpMethod }: ApiEvent): Route {
  const there = routes.filter(({ path }) => basePath + path === resource);
  const route = there.find(({ method, servedBy }) => method === httpMethod && servedBy === name);
  if (route) return route;
  if (there.length === 0)
    throw new Refusal('unknown_path', `There is no ${resource}`, 'See the documentation of this API.');
  const allowed = there.map(({ method }) => method).join(', ');
  throw new Refusal('method_not_allowed', `${resource} takes ${allowed}`, 'See the documentation of this API.', {
    headers: { Allow: allowed },
  });
}

function linkTo({ requestContext }: ApiEvent, path: string): string {
  const before = requestContext.path?.indexOf(basePath) ?? -1;
  return `${before > 0 ? requestContext.path?.slice(0, before) : ''}${basePath}${path}`;
}

/** @throws Error when an implementation breaks its own promise */
function respond(route: RouteDefinition, answer: Awaited<ReturnType<AnyImplementation>>): ApiResult {
  const promised = route.responses[answer.status];
  if (!promised)
    throw new Error(`${route.operationId} answered with status ${answer.status}, which its contract does not have`);
  const headers = {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': CONTENT_SECURITY_POLICY,
    ...answer.headers,
  };
  const { text, contentType } = answer;
  if (text !== undefined && contentType !== undefined) {
    if (promised.otherTypes?.includes(contentType)) {
      return { statusCode: answer.status, headers: { 'Content-Type': contentType, ...headers }, body: text };
    }
    throw new Error(`${route.operationId} answered with ${contentType}, which its contract does not have`);
  }
  if (promised.schema === null) return { statusCode: answer.status, headers, body: '' };
  const parsed = promised.schema.safeParse(answer.body);
  if (!parsed.success) {
    const fields = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new Error(`${route.operationId} answered with what its contract does not have: ${fields.join('; ')}`);
  }
  return {
    statusCode: answer.status,
    headers: { 'Content-Type': promised.contentType ?? 'application/json', ...headers },
    body: promised.contentType === undefined ? JSON.stringify(parsed.data) : String(parsed.data),
  };
}

function routeOf(event: ApiEvent): Route | undefined {
  return routes.find(({ path, method }) => basePath + path === event.resource && method === event.httpMethod);
}

function problems(logger: Logger): middy.MiddlewareObj<ApiEvent, ApiResult> {
  return {
    onError(request) {
      const { event, error } = request;
      const answer = problemOf(error, event.requestContext.requestId, routeOf(event));
      if (answer.statusCode >= 500)
        logger.error('The request failed', { requestId: event.requestContext.requestId, error });
      answer.headers['Content-Security-Policy'] = CONTENT_SECURITY_POLICY;
      request.response = answer;
    },
  };
}

/** One line for each request. */
function requestLog(logger: Logger): middy.MiddlewareObj<ApiEvent, ApiResult> {
  const began = new WeakMap<ApiEvent, number>();
  const write = ({ event, response }: middy.Request<ApiEvent, ApiResult>): void => {
    logger.info('Answered', {
      requestId: event.requestContext.requestId,
      operation: routeOf(event)?.operationId ?? null,
      status: response?.statusCode ?? null,
      caller: event.requestContext.authorizer?.sub ?? null,
      milliseconds: Math.round(performance.now() - (began.get(event) ?? performance.now())),
    });
  };
  return {
    before: ({ event }) => {
      began.set(event, performance.now());
    },
    after: write,
    onError: write,
  };
}
