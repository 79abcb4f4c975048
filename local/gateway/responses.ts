import type { GatewayResponse, RestApi } from '../template/api.ts';

/** Answers that the gateway gives itself, by API Gateway's names. */
export type ResponseType =
  | 'MISSING_AUTHENTICATION_TOKEN'
  | 'UNAUTHORIZED'
  | 'ACCESS_DENIED'
  | 'AUTHORIZER_FAILURE'
  | 'AUTHORIZER_CONFIGURATION_ERROR'
  | 'BAD_REQUEST_BODY'
  | 'BAD_REQUEST_PARAMETERS'
  | 'REQUEST_TOO_LARGE'
  | 'THROTTLED'
  | 'WAF_FILTERED'
  | 'INTEGRATION_TIMEOUT'
  | 'DEFAULT_5XX';

const defaults: Record<ResponseType, { readonly statusCode: number; readonly message: string }> = {
  MISSING_AUTHENTICATION_TOKEN: { statusCode: 403, message: 'Missing Authentication Token' },
  UNAUTHORIZED: { statusCode: 401, message: 'Unauthorized' },
  ACCESS_DENIED: { statusCode: 403, message: 'User is not authorized to access this resource' },
  AUTHORIZER_FAILURE: { statusCode: 500, message: 'Internal server error' },
  AUTHORIZER_CONFIGURATION_ERROR: { statusCode: 500, message: 'Internal server error' },
  BAD_REQUEST_BODY: { statusCode: 400, message: 'Invalid request body' },
  BAD_REQUEST_PARAMETERS: { statusCode: 400, message: 'Missing required request parameters' },
  REQUEST_TOO_LARGE: { statusCode: 413, message: 'Request Too Long' },
  WAF_FILTERED: { statusCode: 403, message: 'Forbidden' },
  THROTTLED: { statusCode: 429, message: 'Too Many Requests' },
  INTEGRATION_TIMEOUT: { statusCode: 504, message: 'Endpoint request timed out' },
  DEFAULT_5XX: { statusCode: 502, message: 'Internal server error' },
};

/** A request that the gateway answers itself. */
export class GatewayError extends Error {
  readonly responseType: ResponseType;
  readonly validationError: string;

  /** @param validationError what a validator found, for templates that show it. */
  constructor(responseType: ResponseType, message: string = defaults[responseType].message, validationError = '') {
    super(message);
    this.name = 'GatewayError';
    this.responseType = responseType;
    this.validationError = validationError;
  }
}

export type Answer = {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** What templates may refer to as `$context.`... */
export type ErrorContext = { readonly requestId: string; readonly path: string; readonly httpMethod: string };

/** The answer for a gateway error, by the API's own GatewayResponses where it has them. */
export function errorAnswer(api: RestApi, error: GatewayError, context: ErrorContext): Answer {
  const standard = defaults[error.responseType];
  const own =
    api.gatewayResponses.get(error.responseType) ??
    api.gatewayResponses.get(standard.statusCode < 500 ? 'DEFAULT_4XX' : 'DEFAULT_5XX');
  const statusCode = Number(
    api.gatewayResponses.get(error.responseType)?.StatusCode ?? own?.StatusCode ?? standard.statusCode,
  );
  const values: Record<string, string> = {
    'error.message': error.message,
    'error.messageString': JSON.stringify(error.message),
    'error.responseType': error.responseType,
    'error.validationErrorString': error.validationError,
    requestId: context.requestId,
    extendedRequestId: context.requestId,
    path: `/${api.stage.StageName}${context.path}`,
    resourcePath: context.path,
    httpMethod: context.httpMethod,
    stage: api.stage.StageName,
  };
  const template = Object.entries(own?.ResponseTemplates ?? {})[0];
  return {
    statusCode,
    headers: {
      'content-type': template?.[0] ?? 'application/json',
      'x-amzn-requestid': context.requestId,
      'x-amzn-errortype': error.responseType,
      ...ownHeaders(own, values),
    },
    body: fill(template?.[1] ?? '{"message":$context.error.messageString}', values),
  };
}

function ownHeaders(own: GatewayResponse | undefined, values: Record<string, string>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(own?.ResponseParameters ?? {})) {
    const key = /^gatewayresponse\.header\.(.+)$/.exec(name)?.[1];
    if (key === undefined) continue;
    headers[key.toLowerCase()] = value.startsWith("'") ? value.replaceAll(/^'|'$/g, '') : fill(`$${value}`, values);
  }
  return headers;
}

/** Replaces `$context.name`, `${context.name}` and `$util.escapeJavaScript($context.name)`; gateway responses know no more. */
function fill(template: string, values: Record<string, string>): string {
  return template
    .replaceAll(/\$util\.escapeJavaScript\(\s*\$context\.([A-Za-z.]+)\s*\)/g, (_all, name: string) =>
      JSON.stringify(values[name] ?? '').slice(1, -1),
    )
    .replaceAll(
      /\$(?:\{context\.([A-Za-z.]+)\}|context\.([A-Za-z]+(?:\.[A-Za-z]+)*))/g,
      (_all, braced: string | undefined, bare: string | undefined) => values[braced ?? bare ?? ''] ?? '',
    );
}
