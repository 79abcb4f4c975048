import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AwsError } from '../aws/errors.ts';
import { type Listening, listen, readBody } from '../aws/http.ts';
import { handleDurableCall } from '../durable/routes.ts';
import { type Access, callerOf, createAccess } from '../iam/access.ts';
import { LambdaServiceError } from './errors.ts';
import { handleManagementCall } from './management.ts';
import { lambdaRequests } from './requests.ts';
import type { InvokeRequest, LambdaService } from './service.ts';

const synchronousLimit = 6_291_556;
const asynchronousLimit = 1_048_576;

/** Serves the Lambda API on the loopback address. @param port 0, the default, takes a free one. */
export function serveLambda(
  lambda: LambdaService,
  { port = 0, access = createAccess() }: { port?: number; access?: Access } = {},
): Promise<Listening> {
  return listen(port, (request, response) => {
    void answer(lambda, access, request, response);
  });
}

async function answer(
  lambda: LambdaService,
  access: Access,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const body = (await readBody(request)).toString();
    const caller = callerOf(request.headers.authorization);
    const call = { method: request.method ?? '', path: url.pathname, query: url.searchParams, body };
    if (access.isLimited(caller)) access.check(caller, lambdaRequests(call));
    const invoked = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(url.pathname)?.[1];
    if (invoked !== undefined && request.method === 'POST') {
      await invoke(lambda, decodeURIComponent(invoked), url.searchParams, body, request, response);
      return;
    }
    const reply = handleDurableCall(lambda.durable, call) ?? (await handleManagementCall(lambda, call));
    if (!reply)
      throw new LambdaServiceError(
        404,
        'UnknownOperationException',
        `The local Lambda has no ${request.method} ${url.pathname}`,
      );
    send(response, 200, JSON.stringify(reply));
  } catch (error) {
    const known =
      error instanceof LambdaServiceError
        ? error
        : error instanceof AwsError
          ? new LambdaServiceError(403, error.code, error.message)
          : new LambdaServiceError(500, 'ServiceException', error instanceof Error ? error.message : String(error));
    send(
      response,
      known.statusCode,
      JSON.stringify({
        Type: known.statusCode < 500 ? 'User' : 'Service',
        message: known.message,
        Message: known.message,
      }),
      {
        'x-amzn-errortype': known.code,
      },
    );
  }
}

async function invoke(
  lambda: LambdaService,
  functionName: string,
  query: URLSearchParams,
  body: string,
  { headers }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const kind = String(headers['x-amz-invocation-type'] ?? 'RequestResponse');
  const name = headers['x-amz-durable-execution-name'];
  const request: InvokeRequest = {
    functionName,
    qualifier: query.get('Qualifier') ?? undefined,
    payload: body === '' ? '{}' : body,
    durableExecutionName: typeof name === 'string' ? name : undefined,
  };
  checkPayload(request.payload, kind === 'Event' ? asynchronousLimit : synchronousLimit);
  if (kind === 'DryRun') {
    lambda.find(functionName, request.qualifier);
    send(response, 204, '');
    return;
  }
  if (kind === 'Event') {
    const { version, durableExecutionArn } = lambda.submit(request);
    send(response, 202, '', answerHeaders(version, durableExecutionArn));
    return;
  }
  const { outcome, version, durableExecutionArn } = await lambda.invoke(request);
  const headersOut = answerHeaders(version, durableExecutionArn);
  if (outcome.ok) send(response, 200, outcome.payload, headersOut);
  else send(response, 200, JSON.stringify(outcome.error), { ...headersOut, 'x-amz-function-error': 'Unhandled' });
}

function checkPayload(payload: string, limit: number): void {
  if (Buffer.byteLength(payload) > limit) {
    throw new LambdaServiceError(
      413,
      'RequestTooLargeException',
      `Request must be smaller than ${limit} bytes for the InvokeFunction operation`,
    );
  }
  try {
    JSON.parse(payload);
  } catch (cause) {
    throw new LambdaServiceError(
      400,
      'InvalidRequestContentException',
      `Could not parse request body into json: ${String(cause)}`,
    );
  }
}

function answerHeaders(version: string, durableExecutionArn: string | null): Record<string, string> {
  return {
    'x-amz-executed-version': version,
    ...(durableExecutionArn === null ? {} : { 'x-amz-durable-execution-arn': durableExecutionArn }),
  };
}

function send(response: ServerResponse, status: number, body: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-amzn-requestid': randomUUID(),
    ...headers,
  });
  response.end(body);
}
