import { Duration, Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as lambdaConstruct from 'aws-cdk-lib/aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Listening, listen } from '../../local/aws/http.ts';
import { createGateway } from '../../local/gateway/server.ts';
import { createLambdaService, type LambdaService } from '../../local/lambda/service.ts';
import { readApp } from '../../local/template/read.ts';
import { type MiniApp, miniApp } from './support/mini-app.ts';

const echo = `
export const handler = async (event) => {
  if (event.queryStringParameters?.sleep) await new Promise((resolve) => setTimeout(resolve, 60_000));
  if (event.queryStringParameters?.fail) throw new Error('secret detail');
  if (event.queryStringParameters?.odd) return 'not an answer';
  return { statusCode: 200, headers: { 'X-Thing': 'yes' }, multiValueHeaders: { 'Set-Cookie': ['a=1', 'b=2'] }, body: JSON.stringify(event) };
};`;

const authorizer = `
let calls = 0;
export const handler = async (event) => {
  calls += 1;
  if (event.headers.Authorization === 'bad') throw new Error('Unauthorized');
  if (event.headers.Authorization === 'broken') throw new Error('something else');
  const effect = event.headers.Authorization === 'denied' ? 'Deny' : 'Allow';
  return {
    principalId: 'someone',
    policyDocument: { Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect: effect, Resource: event.methodArn.split('/').slice(0, 2).join('/') + '/*' }] },
    context: { roles: 'admin', calls },
  };
};`;

let mini: MiniApp;
let lambda: LambdaService;
let gateway: Listening;

function deploy(): MiniApp {
  const made = miniApp();
  const stack = new Stack(made.app, 'Web');
  const common = {
    runtime: lambdaConstruct.Runtime.NODEJS_24_X,
    handler: 'index.handler',
    timeout: Duration.seconds(20),
  } as const;
  const target = new lambdaConstruct.Function(stack, 'Echo', { ...common, code: made.code('echo', echo) });
  const guard = new lambdaConstruct.Function(stack, 'Guard', { ...common, code: made.code('guard', authorizer) });
  const api = new apigateway.RestApi(stack, 'Api', {
    deployOptions: {
      stageName: 'v1',
      methodOptions: { '/busy/GET': { throttlingRateLimit: 1, throttlingBurstLimit: 2 } },
    },
    cloudWatchRole: false,
  });
  api.addGatewayResponse('Own', {
    type: apigateway.ResponseType.BAD_REQUEST_BODY,
    responseHeaders: { 'Content-Language': "'en'" },
    templates: {
      'application/problem+json':
        '{"status":400,"detail":"$util.escapeJavaScript($context.error.validationErrorString)","instance":"$context.requestId"}',
    },
  });
  const integration = new apigateway.LambdaIntegration(target, { timeout: Duration.seconds(1) });
  const protect = {
    authorizer: new apigateway.RequestAuthorizer(stack, 'Authorizer', {
      handler: guard,
      identitySources: [apigateway.IdentitySource.header('Authorization')],
      resultsCacheTtl: Duration.minutes(1),
    }),
  };
  const model = api.addModel('Thing', {
    schema: {
      type: apigateway.JsonSchemaType.OBJECT,
      additionalProperties: false,
      required: ['name'],
      properties: { name: { type: apigateway.JsonSchemaType.STRING, maxLength: 5 } },
    },
  });
  const things = api.root.addResource('things');
  things.addMethod('POST', integration, {
    ...protect,
    requestModels: { 'application/json': model },
    requestValidator: api.addRequestValidator('Body', { validateRequestBody: true }),
  });
  things.addResource('special').addMethod('GET', integration);
  things.addResource('{id}').addMethod('GET', integration, {
    requestParameters: { 'method.request.querystring.need': true },
    requestValidator: api.addRequestValidator('Parameters', { validateRequestParameters: true }),
  });
  api.root.addResource('busy').addMethod('GET', integration);
  api.root.addResource('open').addMethod('ANY', integration);
  made.app.synth();
  return made;
}

beforeAll(async () => {
  mini = deploy();
  const { functions, api } = readApp(mini.cdkOut);
  if (!api) throw new Error('no API');
  lambda = createLambdaService({ stateFolder: mini.stateFolder, functions, awsEnvironment: () => ({}) });
  gateway = await listen(0, createGateway({ api, lambda }));
});

afterAll(async () => {
  await gateway.close();
  await lambda.close();
  mini.remove();
});

it('refuses an address beyond the limit of the web ACL before it throttles, and asks no authorizer', async () => {
  const { api } = readApp(mini.cdkOut);
  if (!api) throw new Error('no API');
  const limited = await listen(
    0,
    createGateway({ api: { ...api, addressLimit: { requests: 3, seconds: 60 } }, lambda }),
  );
  const types: (string | null)[] = [];
  for (let request = 0; request < 5; request++) {
    const answer = await fetch(`${limited.url}/things/a?need=1`, { method: request === 4 ? 'POST' : 'GET' });
    types.push(answer.headers.get('x-amzn-errortype'));
  }
  expect(types).toEqual([null, null, null, 'WAF_FILTERED', 'WAF_FILTERED']);
  await limited.close();
});

async function call(path: string, init: RequestInit = {}) {
  const response = await fetch(`${gateway.url}${path}`, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
}

const post = (body: unknown, authorization?: string) =>
  call('/things', {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', ...(authorization ? { Authorization: authorization } : {}) },
  });

describe('the REST API of the template', () => {
  it('gives the function the event of a proxy integration, with and without the stage', async () => {
    for (const prefix of ['', '/v1']) {
      const { status, headers, json } = await call(`${prefix}/things/a%20b?need=1&need=2`, {
        headers: { 'X-Own': 'Value' },
      });
      expect(status).toBe(200);
      expect(headers.get('x-thing')).toBe('yes');
      expect(headers.getSetCookie()).toEqual(['a=1', 'b=2']);
      expect(json()).toMatchObject({
        resource: '/things/{id}',
        path: '/things/a%20b',
        httpMethod: 'GET',
        pathParameters: { id: 'a b' },
        queryStringParameters: { need: '2' },
        multiValueQueryStringParameters: { need: ['1', '2'] },
        stageVariables: null,
        body: null,
        isBase64Encoded: false,
        requestContext: {
          stage: 'v1',
          resourcePath: '/things/{id}',
          path: '/v1/things/a%20b',
          identity: { sourceIp: '127.0.0.1' },
        },
      });
    }
  });

  it('prefers a literal path, and knows no other', async () => {
    expect((await call('/things/special')).json().resource).toBe('/things/special');
    expect(await call('/nothing')).toMatchObject({ status: 403, text: '{"message":"Missing Authentication Token"}' });
    expect((await call('/things', { method: 'DELETE' })).status).toBe(403);
    expect((await call('/open', { method: 'DELETE' })).status).toBe(200);
  });

  it('asks the authorizer, keeps its answer, and applies its policy', async () => {
    expect(await post({ name: 'one' })).toMatchObject({ status: 401, text: '{"message":"Unauthorized"}' });
    expect((await post({ name: 'one' }, 'bad')).status).toBe(401);
    expect((await post({ name: 'one' }, 'broken')).status).toBe(500);
    expect((await post({ name: 'one' }, 'denied')).status).toBe(403);
    const first = (await post({ name: 'one' }, 'good')).json().requestContext.authorizer;
    expect(first).toMatchObject({ principalId: 'someone', roles: 'admin' });
    const second = (await post({ name: 'two' }, 'good')).json().requestContext.authorizer;
    expect(second.calls).toBe(first.calls);
    const other = (await post({ name: 'two' }, 'other')).json().requestContext.authorizer;
    expect(other.calls).not.toBe(first.calls);
  });

  it('validates bodies and parameters, with the answers the template gives', async () => {
    const wrong = await post({ name: 'too long', more: '"' }, 'good');
    expect(wrong.status).toBe(400);
    expect(wrong.headers.get('content-type')).toBe('application/problem+json');
    expect(wrong.headers.get('content-language')).toBe('en');
    expect(wrong.json().detail).toContain('more');
    expect((await post('{', 'good')).status).toBe(400);
    expect((await post('', 'good')).status).toBe(400);
    expect(await call('/things/1')).toMatchObject({
      status: 400,
      text: '{"message":"Missing required request parameters: [need]"}',
    });
  });

  it('hides what failed, and ends what takes too long', async () => {
    expect(await call('/open?fail=1')).toMatchObject({ status: 502, text: '{"message":"Internal server error"}' });
    expect((await call('/open?odd=1')).status).toBe(502);
    expect((await call('/open?sleep=1')).status).toBe(504);
  });

  it('throttles, and takes at most 10 MB', async () => {
    const statuses = [];
    for (let round = 0; round < 4; round += 1) statuses.push((await call('/busy')).status);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0);
    expect((await call('/open', { method: 'POST', body: 'x'.repeat(10_485_761) })).status).toBe(413);
  });
});
