import { STATUS_CODES } from 'node:http';
import { ResponseType, type RestApi } from 'aws-cdk-lib/aws-apigateway';
import type { Problem } from '../../shared/contract/schemas/common.ts';

interface GatewayProblem {
  readonly type: ResponseType;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly nextStep: string;
  readonly field?: { readonly field: string; readonly message: string };
  readonly headers?: Readonly<Record<string, string>>;
}

/** What API Gateway answers before a function is asked, in the form that the functions' own refusals have. */
const problems: readonly GatewayProblem[] = [
  {
    type: ResponseType.UNAUTHORIZED,
    status: 401,
    code: 'no_token',
    detail:
      'The request carries no token, or one that is malformed, revoked, of another issuer or for another audience',
    nextStep: 'Send a token of the identity provider of this system as Authorization: Bearer <token>.',
    headers: { 'WWW-Authenticate': 'Bearer' },
  },
  {
    type: ResponseType.ACCESS_DENIED,
    status: 403,
    code: 'access_denied',
    detail: 'The token names no role, or calls from this address are not allowed',
    nextStep: 'Ask an administrator for a role, or call from an allowed address.',
  },
  {
    // API Gateway's name for a path or method that the API does not have.
    type: ResponseType.MISSING_AUTHENTICATION_TOKEN,
    status: 404,
    code: 'unknown_route',
    detail: 'There is no such path, or it does not take this method',
    nextStep: 'The paths and their methods are in openapi.json.',
  },
  {
    type: ResponseType.BAD_REQUEST_BODY,
    status: 400,
    code: 'invalid_request',
    detail: 'The request does not fit the contract: body',
    nextStep: 'Correct the fields named in errors.',
    field: { field: 'body', message: 'must be a JSON object' },
  },
  {
    type: ResponseType.BAD_REQUEST_PARAMETERS,
    status: 400,
    code: 'invalid_request',
    detail: 'A parameter that the contract asks for is missing',
    nextStep: 'The parameters are in openapi.json.',
  },
  {
    type: ResponseType.UNSUPPORTED_MEDIA_TYPE,
    status: 415,
    code: 'unsupported_media_type',
    detail: 'The body must be JSON',
    nextStep: 'Send it with Content-Type: application/json.',
  },
  {
    type: ResponseType.REQUEST_TOO_LARGE,
    status: 413,
    code: 'body_too_large',
    detail: 'The request is too large',
    nextStep: 'Send a smaller one.',
  },
  {
    type: ResponseType.THROTTLED,
    status: 429,
    code: 'too_many_requests',
    detail: 'There are more requests than the API takes',
    nextStep: 'Try again in a few seconds.',
    headers: { 'Retry-After': '5' },
  },
  {
    type: ResponseType.WAF_FILTERED,
    status: 429,
    code: 'too_many_requests',
    detail: 'There are more requests from this address than the API takes',
    nextStep: 'Wait a minute.',
    headers: { 'Retry-After': '60' },
  },
  {
    type: ResponseType.INTEGRATION_TIMEOUT,
    status: 504,
    code: 'timed_out',
    detail: 'The request was not served in time',
    nextStep: 'Try again; if it persists, give the instance to whoever runs this system.',
  },
  {
    type: ResponseType.DEFAULT_4XX,
    status: 400,
    code: 'invalid_request',
    detail: 'The request was refused',
    nextStep: 'The API is described in openapi.json.',
  },
  {
    type: ResponseType.DEFAULT_5XX,
    status: 500,
    code: 'internal_error',
    detail: 'The request could not be served',
    nextStep: 'Give the instance to whoever runs this system; the log names it.',
  },
];

/** Makes API Gateway's own answers problems (RFC 9457) like all others. */
export function answerWithProblems(api: RestApi): void {
  for (const { type, status, code, detail, nextStep, field, headers } of problems) {
    const body: Problem = {
      type: `urn:problem:${code}`,
      title: STATUS_CODES[status] ?? 'Error',
      status,
      code,
      detail,
      next_step: nextStep,
      instance: '$context.requestId',
      ...(field ? { errors: [field] } : {}),
    };
    const all = { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers };
    api.addGatewayResponse(`Problem-${type.responseType}`, {
      type,
      // The two defaults stand for many answers, each with a status of its own.
      ...(type === ResponseType.DEFAULT_4XX || type === ResponseType.DEFAULT_5XX ? {} : { statusCode: String(status) }),
      responseHeaders: Object.fromEntries(Object.entries(all).map(([name, value]) => [name, `'${value}'`])),
      templates: { 'application/json': JSON.stringify(body) },
    });
  }
}
