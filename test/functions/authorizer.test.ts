import type { APIGatewayRequestAuthorizerEvent } from 'aws-lambda';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startIssuer, type TestIssuer } from '../access/issuer.ts';
import { startApi, type TestApi } from './api.ts';

let issuer: TestIssuer;
let api: TestApi;
let handler: typeof import('../../functions/authorizer.ts').handler;
beforeAll(async () => {
  issuer = await startIssuer();
  api = await startApi({ issuer: issuer.url, audience: 'dbms' });
  handler = (await import('../../functions/authorizer.ts')).handler;
});
afterAll(async () => {
  await api?.close();
  await issuer?.close();
});

const methodArn = 'arn:aws:execute-api:eu-west-1:111122223333:abc123/v1/GET/api/database/jobs';
const event = (headers: Record<string, string>, sourceIp = '10.1.2.3') =>
  ({
    type: 'REQUEST',
    methodArn,
    headers,
    requestContext: { identity: { sourceIp } },
  }) as unknown as APIGatewayRequestAuthorizerEvent;
const statementOf = (effect: string) => ({
  policyDocument: {
    Statement: [
      {
        Action: 'execute-api:Invoke',
        Effect: effect,
        Resource: 'arn:aws:execute-api:eu-west-1:111122223333:abc123/v1/*',
      },
    ],
  },
});

test('a good token opens the stage, and says who calls', async () => {
  const token = await issuer.token({ 'cognito:groups': ['operator', 'auditor'], email: 'a@example.org' });
  for (const name of ['Authorization', 'authorization']) {
    expect(await handler(event({ [name]: `Bearer ${token}` }))).toMatchObject({
      principalId: 'alice',
      ...statementOf('Allow'),
      context: { sub: 'alice', roles: 'operator auditor', email: 'a@example.org' },
    });
  }
});

test.each([
  ['nothing', {}],
  ['another scheme', { Authorization: 'Basic YTpi' }],
  ['no token', { Authorization: 'Bearer ' }],
  ['nonsense', { Authorization: 'Bearer x.y.z' }],
])('%s is unauthorized', async (_, headers) => {
  await expect(handler(event(headers as Record<string, string>))).rejects.toThrow(/^Unauthorized$/);
});

test('a good token from an address in no allowed range is denied, whatever a header says', async () => {
  const token = await issuer.token();
  const headers = { Authorization: `Bearer ${token}`, 'X-Forwarded-For': '10.1.2.3' };
  expect(await handler(event(headers, '203.0.113.9'))).toMatchObject(statementOf('Deny'));
});

test('a good token without any of the roles is denied', async () => {
  const token = await issuer.token({ 'cognito:groups': ['staff'] });
  expect(await handler(event({ Authorization: `Bearer ${token}` }))).toMatchObject(statementOf('Deny'));
});
