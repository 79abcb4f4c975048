import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import * as z from 'zod';
import { LambdaServiceError } from '../lambda/errors.ts';
import type { LogFile } from '../lambda/logs.ts';
import type { LambdaService } from '../lambda/service.ts';
import type { ApiMethod, RestApi } from '../template/api.ts';
import { createAddressLimit } from './address-limit.ts';
import { createAddressCheck } from './addresses.ts';
import { type Authorize, createAuthorization } from './authorization.ts';
import { type GatewayRequest, gatewayRequest, header, isBinary, proxyEvent } from './request.ts';
import { type Answer, errorAnswer, GatewayError } from './responses.ts';
import { findRoute, withoutStage } from './routing.ts';
import { createThrottle } from './throttle.ts';
import { createRequestValidator } from './validation.ts';

const maximumBodyBytes = 10 * 1024 * 1024;

const integrationAnswerSchema = z.object({
  statusCode: z.coerce.number().int().min(100).max(599),
  headers: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String)).nullish(),
  multiValueHeaders: z
    .record(z.string(), z.array(z.union([z.string(), z.number(), z.boolean()]).transform(String)))
    .nullish(),
  body: z.string().nullish(),
  isBase64Encoded: z.boolean().nullish(),
});

type Reply = {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: string | Buffer;
};

export type GatewayOptions = {
  readonly api: RestApi;
  readonly lambda: LambdaService;
  readonly accessLog?: LogFile;
};

/**
 * Answers for the REST API of the template as API Gateway does: resource policy, throttling, authorizer, validation, Lambda proxy
 * integration, and its own answers when one of them refuses.
 */
export function createGateway({ api, lambda, accessLog }: GatewayOptions): RequestListener {
  const parts = {
    isWithinLimit: createAddressLimit(api.addressLimit),
    isAllowed: createAddressCheck(api),
    authorize: createAuthorization(api, lambda),
    validate: createRequestValidator(api),
    throttle: createThrottle(api.stage),
  };

  return (incoming, response) => {
    void (async () => {
      const url = new URL(incoming.url ?? '/', 'http://localhost');
      const path = withoutStage(api, url.pathname);
      let request = gatewayRequest(incoming, url, path, Buffer.alloc(0));
      let reply: Reply;
      try {
        request = { ...request, body: await readLimited(incoming) };
        reply = await handle(api, lambda, parts, request);
      } catch (error) {
        reply = errorAnswer(api, error instanceof GatewayError ? error : new GatewayError('DEFAULT_5XX'), request);
      }
      accessLog?.(
        `${new Date().toISOString()} ${request.httpMethod} ${path} ${reply.statusCode} ${Date.now() - request.receivedAt} ms ${request.requestId}\n`,
      );
      send(response, reply);
    })();
  };
}

async function handle(
  api: RestApi,
  lambda: LambdaService,
  parts: {
    isWithinLimit: ReturnType<typeof createAddressLimit>;
    isAllowed: ReturnType<typeof createAddressCheck>;
    authorize: Authorize;
    validate: ReturnType<typeof createRequestValidator>;
    throttle: ReturnType<typeof createThrottle>;
  },
  request: GatewayRequest,
): Promise<Reply> {
  // A web ACL comes before everything else.
  if (!parts.isWithinLimit(request.sourceIp)) throw new GatewayError('WAF_FILTERED');
  const route = findRoute(api, request.httpMethod, request.path);
  if (!route) throw new GatewayError('MISSING_AUTHENTICATION_TOKEN');
  if (!parts.isAllowed(request)) throw new GatewayError('ACCESS_DENIED');
  if (!parts.throttle(route.method)) throw new GatewayError('THROTTLED');
  const authorizer = await parts.authorize(request, route);
  parts.validate(request, route.method, route.pathParameters);
  if (route.method.mockResponse) return route.method.mockResponse;
  const text = await integrate(lambda, route.method, JSON.stringify(proxyEvent(api, request, route, authorizer)));
  return replyOf(api, request, text);
}

async function integrate(
  lambda: LambdaService,
  { functionArn, timeoutMilliseconds }: ApiMethod,
  payload: string,
): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new GatewayError('INTEGRATION_TIMEOUT')), timeoutMilliseconds);
  });
  try {
    const { outcome } = await Promise.race([lambda.invoke({ functionName: functionArn ?? '', payload }), timeout]);
    if (!outcome.ok) throw new GatewayError('DEFAULT_5XX');
    return outcome.payload;
  } catch (error) {
    if (error instanceof LambdaServiceError && error.code === 'TooManyRequestsException')
      throw new GatewayError('DEFAULT_5XX');
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A proxy integration's answer; one of another form is the function's mistake, and a 502. */
function replyOf(api: RestApi, request: GatewayRequest, text: string): Reply {
  const parsed = integrationAnswerSchema.safeParse(JSON.parse(text));
  if (!parsed.success) throw new GatewayError('DEFAULT_5XX');
  const { statusCode, headers, multiValueHeaders, body, isBase64Encoded } = parsed.data;
  const merged: Record<string, string | string[]> = { 'content-type': 'application/json' };
  for (const [name, value] of Object.entries(headers ?? {})) merged[name.toLowerCase()] = value;
  for (const [name, values] of Object.entries(multiValueHeaders ?? {})) merged[name.toLowerCase()] = values;
  const decode = isBase64Encoded === true && isBinary(api, header(request, 'accept') ?? '*/*');
  return {
    statusCode,
    headers: { 'x-amzn-requestid': request.requestId, ...merged },
    body: decode ? Buffer.from(body ?? '', 'base64') : (body ?? ''),
  };
}

async function readLimited(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    // What is too large is read on and dropped: a client in the middle of sending would not see the answer.
    if (size <= maximumBodyBytes) chunks.push(chunk);
  }
  if (size > maximumBodyBytes) throw new GatewayError('REQUEST_TOO_LARGE');
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, { statusCode, headers, body }: Reply | Answer): void {
  response.writeHead(statusCode, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
