import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { RestApi } from '../template/api.ts';
import { account, region } from '../template/identities.ts';
import type { Route } from './routing.ts';

/** A request as the gateway's parts see it. */
export type GatewayRequest = {
  readonly requestId: string;
  readonly httpMethod: string;
  /** Without the stage. */
  readonly path: string;
  readonly rawHeaders: readonly (readonly [string, string])[];
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly sourceIp: string;
  readonly receivedAt: number;
};

/** What an authorizer lets through to the function behind. */
export type AuthorizerContext = Readonly<Record<string, unknown>> | null;

export function gatewayRequest(request: IncomingMessage, url: URL, path: string, body: Buffer): GatewayRequest {
  const { rawHeaders } = request;
  return {
    requestId: randomUUID(),
    httpMethod: request.method ?? 'GET',
    path,
    rawHeaders: rawHeaders.flatMap((name, index) =>
      index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ''] as const] : [],
    ),
    query: url.searchParams,
    body,
    sourceIp: request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? '127.0.0.1',
    receivedAt: Date.now(),
  };
}

export function header({ rawHeaders }: GatewayRequest, name: string): string | undefined {
  return rawHeaders.find(([each]) => each.toLowerCase() === name.toLowerCase())?.[1];
}

/** The ARN that a policy of an authorizer speaks of. */
export function methodArn(api: RestApi, { httpMethod, path }: GatewayRequest): string {
  return `arn:aws:execute-api:${region}:${account}:${api.id}/${api.stage.StageName}/${httpMethod}/${path.replace(/^\//, '')}`;
}

/** What an AWS_PROXY integration and a REQUEST authorizer have in common. */
export function commonEvent(api: RestApi, request: GatewayRequest, { method, pathParameters }: Route) {
  const headers = multi([...request.rawHeaders, ...forwarding(request)]);
  const query = multi([...request.query]);
  const { stage } = api;
  return {
    resource: method.resourcePath,
    path: request.path,
    httpMethod: request.httpMethod,
    headers: lastOf(headers),
    multiValueHeaders: headers,
    queryStringParameters: orNull(lastOf(query)),
    multiValueQueryStringParameters: orNull(query),
    pathParameters,
    stageVariables: orNull(stage.Variables),
    requestContext: {
      accountId: account,
      apiId: api.id,
      resourceId: method.resourceId,
      resourcePath: method.resourcePath,
      operationName: method.operationName ?? undefined,
      httpMethod: request.httpMethod,
      path: `/${stage.StageName}${request.path}`,
      stage: stage.StageName,
      protocol: 'HTTP/1.1',
      domainName: header(request, 'host') ?? 'localhost',
      domainPrefix: api.id,
      requestId: request.requestId,
      extendedRequestId: randomBytes(11).toString('base64'),
      requestTime: commonLogTime(request.receivedAt),
      requestTimeEpoch: request.receivedAt,
      identity: {
        accessKey: null,
        accountId: null,
        caller: null,
        cognitoAuthenticationProvider: null,
        cognitoAuthenticationType: null,
        cognitoIdentityId: null,
        cognitoIdentityPoolId: null,
        principalOrgId: null,
        sourceIp: request.sourceIp,
        user: null,
        userAgent: header(request, 'user-agent') ?? null,
        userArn: null,
      },
    },
  };
}

/** The event of a Lambda proxy integration of a REST API. */
export function proxyEvent(
  api: RestApi,
  request: GatewayRequest,
  route: Route,
  authorizer: AuthorizerContext,
): Record<string, unknown> {
  const common = commonEvent(api, request, route);
  const binary = isBinary(api, header(request, 'content-type'));
  return {
    ...common,
    requestContext: { ...common.requestContext, ...(authorizer ? { authorizer } : {}) },
    body: request.body.length === 0 ? null : request.body.toString(binary ? 'base64' : 'utf8'),
    isBase64Encoded: binary && request.body.length > 0,
  };
}

/** Whether the API treats a media type as binary. */
export function isBinary(api: RestApi, mediaType: string | undefined): boolean {
  const type = mediaType?.split(';')[0]?.trim().toLowerCase() ?? '';
  return api.binaryMediaTypes.some((each) => each === '*/*' || each.toLowerCase() === type);
}

function forwarding({ sourceIp }: GatewayRequest): [string, string][] {
  return [
    ['X-Forwarded-For', sourceIp],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-Port', '443'],
    ['X-Amzn-Trace-Id', `Root=1-${Math.floor(Date.now() / 1000).toString(16)}-${randomBytes(12).toString('hex')}`],
  ];
}

function multi(entries: readonly (readonly [string, string])[]): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const [name, value] of entries) {
    const existing = all[name];
    if (existing) existing.push(value);
    else all[name] = [value];
  }
  return all;
}

function lastOf(all: Record<string, string[]>): Record<string, string> {
  return Object.fromEntries(Object.entries(all).map(([name, values]) => [name, values.at(-1) ?? '']));
}

function orNull<Value extends object>(value: Value): Value | null {
  return Object.keys(value).length > 0 ? value : null;
}

function commonLogTime(milliseconds: number): string {
  const [day = '', time = ''] = new Date(milliseconds).toISOString().split('T');
  const [year, month, date] = day.split('-');
  const names = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
  return `${date}/${names[Number(month) - 1]}/${year}:${time.slice(0, 8)} +0000`;
}
