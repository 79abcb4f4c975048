import { beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import type { DeploymentInput } from '../../infra/config/schema.ts';
import { createAddressLimit } from '../../local/gateway/address-limit.ts';
import { createThrottle } from '../../local/gateway/throttle.ts';
import { matches } from '../../local/iam/pattern.ts';
import type { ApiMethod, RestApi, Stage } from '../../local/template/api.ts';
import type { RouteDefinition } from '../../shared/contract/define-route.ts';
import { roleSchema } from '../../shared/contract/roles.ts';
import { basePath, routes } from '../../shared/contract/routes.ts';
import { entrances } from '../../shared/http/entrances.ts';
import { plain } from './support/plain.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

const guarded: DeploymentInput = {
  ...example,
  api: {
    requests_per_second: 7,
    burst: 9,
    detailed_metrics: true,
    firewall: 'managed',
    address_requests_per_minute: 600,
  },
};

let full: Synthesized;
/** Without an issuer of its own. */
let pooled: Synthesized;
let api: RestApi;
beforeAll(async () => {
  full = await synthesize(guarded);
  pooled = await synthesize(plain);
  if (full.app.api === null) throw new Error('There is no API');
  api = full.app.api;
});

const functionNamed = (synthesized: Synthesized, name: string) => {
  const found = synthesized.app.functions.find((each) => each.name === name);
  if (!found) throw new Error(`There is no function ${name}`);
  return found;
};

describe('each route', () => {
  const all = routes as readonly RouteDefinition[];
  const methodOf = ({ method, path }: RouteDefinition): ApiMethod => {
    const [found, ...more] = api.methods.filter(
      ({ httpMethod, resourcePath }) => httpMethod === method && resourcePath === basePath + path,
    );
    if (!found || more.length > 0) throw new Error(`There is not one method for ${method} ${path}`);
    return found;
  };

  it('has exactly one method, and there are no others but those that lead to the documentation', () => {
    for (const route of all) expect(methodOf(route).operationName).toBe(route.operationId);
    const others = api.methods.filter(({ operationName }) => operationName === null);
    expect(api.methods).toHaveLength(all.length + others.length);
    expect(others.map(({ httpMethod, resourcePath, functionArn }) => [httpMethod, resourcePath, functionArn])).toEqual(
      [...entrances].map((path) => ['GET', path, functionNamed(full, 'dbms-docs-api').arn]),
    );
  });

  it.each(all.map((route) => [`${route.method} ${route.path}`, route] as const))(
    '%s is served, guarded and checked',
    (_, route) => {
      const method = methodOf(route);
      const served = functionNamed(full, `dbms-${route.servedBy}`);
      expect(method.functionArn).toBe(served.arn);
      expect(method.authorizer?.functionArn).toBe(
        route.leastRole === 'public' ? undefined : functionNamed(full, 'dbms-authorizer').arn,
      );
      expect([method.validateBody, method.validateParameters]).toEqual([true, true]);
      const required = Object.entries(route.query?.shape ?? {}).filter(
        ([, field]) => !field.safeParse(undefined).success,
      );
      expect(method.requiredParameters).toEqual([
        ...Object.keys(route.params?.shape ?? {}).map((name) => `method.request.path.${name}`),
        ...required.map(([name]) => `method.request.querystring.${name}`),
      ]);
      const [model] = Object.values(method.requestModels);
      expect(Object.keys(method.requestModels)).toEqual(route.body ? ['application/json'] : []);
      expect(model === undefined ? undefined : api.models[model]?.type).toBe(route.body ? 'object' : undefined);
      // API Gateway may call the function for this very method and path.
      const callers = full
        .ofType('AWS::Lambda::Permission')
        .filter(
          ({ properties }) =>
            properties.FunctionName === served.arn && properties.Principal === 'apigateway.amazonaws.com',
        )
        .map(({ properties }) => String(properties.SourceArn).split(':').at(-1) ?? '');
      const call = `${api.id}/v1/${route.method}${basePath}${route.path.replace(/\{\w+\}/, 'x')}`;
      expect(callers.filter((pattern) => matches(pattern, call))).toHaveLength(1);
    },
  );

  it('of the public ones only describes the API', () => {
    const open = api.methods
      .filter(({ authorizer, operationName }) => authorizer === null && operationName !== null)
      .map(({ operationName }) => operationName);
    expect(open.sort()).toEqual(['getDocs', 'getOpenapi']);
  });
});

describe('the API', () => {
  it('believes an authorization only for the token and the address that it was given for', () => {
    expect(full.one('AWS::ApiGateway::Authorizer').properties).toMatchObject({
      Type: 'REQUEST',
      IdentitySource: 'method.request.header.Authorization,context.identity.sourceIp',
      AuthorizerResultTtlInSeconds: 60,
    });
    const { id } = api.methods.find(({ authorizer }) => authorizer !== null)?.authorizer ?? {};
    const callers = full
      .ofType('AWS::Lambda::Permission')
      .filter(({ properties }) => properties.FunctionName === functionNamed(full, 'dbms-authorizer').arn);
    expect(callers.map(({ properties }) => properties.SourceArn)).toEqual([
      expect.stringContaining(`/authorizers/${id}`),
    ]);
  });

  it('has one stage, throttled, traced and logged', () => {
    const { properties } = full.one('AWS::ApiGateway::Stage');
    expect(properties).toMatchObject({
      StageName: 'v1',
      TracingEnabled: true,
      MethodSettings: expect.arrayContaining([
        {
          HttpMethod: '*',
          ResourcePath: '/*',
          ThrottlingRateLimit: 7,
          ThrottlingBurstLimit: 9,
          MetricsEnabled: true,
          LoggingLevel: 'ERROR',
          // Requests and answers in full have no place in a log.
          DataTraceEnabled: false,
        },
      ]),
    });
    // Metrics of each method are billed.
    expect(pooled.one('AWS::ApiGateway::Stage').properties.MethodSettings).toContainEqual(
      expect.objectContaining({ ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100, MetricsEnabled: false }),
    );
  });

  it('throttles what needs no token by itself, so that nobody uses up what callers with a token share', () => {
    const { api } = pooled.app;
    const open = api?.methods.filter(({ authorizer }) => authorizer === null) ?? [];
    expect(open.length).toBeGreaterThan(3);
    for (const method of open) {
      const throttle = createThrottle(api?.stage as Stage, () => 0);
      const passed = Array.from({ length: 150 }, () => throttle(method)).filter(Boolean).length;
      expect([method.resourcePath, passed]).toEqual([method.resourcePath, 20]);
      const [guarded] = api?.methods.filter(({ authorizer }) => authorizer !== null) ?? [];
      expect(Array.from({ length: 150 }, () => throttle(guarded as ApiMethod)).filter(Boolean)).toHaveLength(100);
    }
  });

  it('limits each address by a web ACL where that is configured, and locally as well', () => {
    expect(pooled.ofType('AWS::WAFv2::WebACL')).toEqual([]);
    const acl = full.one('AWS::WAFv2::WebACL');
    expect(acl.properties).toMatchObject({ Scope: 'REGIONAL', VisibilityConfig: { SampledRequestsEnabled: false } });
    const { ResourceArn, WebACLArn } = full.one('AWS::WAFv2::WebACLAssociation').properties;
    expect(JSON.stringify(ResourceArn)).toMatch(/apigateway:.*::\/restapis\/.*\/stages\//);
    expect(WebACLArn).toBe(acl.arn);
    const limit = full.app.api?.addressLimit ?? null;
    expect(limit).toEqual({ requests: 600, seconds: 60 });
    let time = 0;
    const isWithin = createAddressLimit(limit, () => time);
    const passed = (address: string) => Array.from({ length: 1000 }, () => isWithin(address)).filter(Boolean).length;
    expect([passed('203.0.113.9'), passed('203.0.113.9'), passed('203.0.113.10')]).toEqual([600, 0, 600]);
    time = 61_000;
    expect(passed('203.0.113.9')).toBe(600);
  });

  it('writes who asked what into its access log, without token and query', () => {
    const { DestinationArn, Format } = full.one('AWS::ApiGateway::Stage').properties.AccessLogSetting as Record<
      string,
      string
    >;
    const log = full.one('AWS::Logs::LogGroup', 'RoutesAccessLog');
    expect(DestinationArn).toBe(log.arn);
    expect(log.properties.RetentionInDays).toBe(90);
    const fields = JSON.parse(Format ?? '');
    expect(Object.values(fields)).toEqual(
      expect.arrayContaining([
        '$context.requestId',
        '$context.identity.sourceIp',
        '$context.authorizer.principalId',
        '$context.httpMethod',
        '$context.resourcePath',
        '$context.status',
      ]),
    );
    // `path` and `requestOverride` would bring the query along, `authorizer.*` beyond the principal the caller's claims.
    expect(Format).not.toMatch(/querystring|header|\$context\.path|accessToken|authorizer\.claims/i);
  });

  it('answers its own refusals as problems', () => {
    for (const type of [
      'UNAUTHORIZED',
      'ACCESS_DENIED',
      'THROTTLED',
      'BAD_REQUEST_BODY',
      'DEFAULT_4XX',
      'DEFAULT_5XX',
    ]) {
      const response = api.gatewayResponses.get(type);
      expect(response?.ResponseParameters['gatewayresponse.header.Content-Type'], type).toBe(
        "'application/problem+json'",
      );
      expect(JSON.parse(response?.ResponseTemplates['application/json'] ?? ''), type).toMatchObject({
        type: expect.stringMatching(/^urn:problem:/),
        code: expect.any(String),
        detail: expect.any(String),
      });
    }
  });

  it('is found by the output ApiAddress', () => {
    const outputs = full.assembly.stacks.find(({ name }) => name === 'dbms-api')?.template.Outputs;
    expect(JSON.stringify(outputs?.ApiAddress?.Value)).toMatch(
      /"https:\/\/".*RoutesApi.*execute-api.*\/api\/database"/,
    );
  });
});

describe('the user pool', () => {
  const types = ['AWS::Cognito::UserPool', 'AWS::Cognito::UserPoolClient', 'AWS::Cognito::UserPoolGroup'];
  const authorizerVariables = (synthesized: Synthesized) =>
    synthesized
      .written('AWS::Lambda::Function')
      .map(({ Properties = {} }) => Properties)
      .find(({ FunctionName }) => String(FunctionName).endsWith('-authorizer'))?.Environment as {
      Variables: Record<string, unknown>;
    };

  it('is not there when the configuration names an issuer', () => {
    expect(types.flatMap((type) => full.ofType(type))).toEqual([]);
    expect(authorizerVariables(full).Variables).toEqual({
      AUDIT_TABLE: expect.anything(),
      CONFIGURATION_PATH: '/opt/configuration/runtime.json',
      STATE_TABLE: expect.anything(),
    });
  });

  it('is there otherwise, with a group for each role, and the authorizer is told of it', () => {
    const groups = pooled.ofType('AWS::Cognito::UserPoolGroup').map(({ properties }) => properties.GroupName);
    expect(groups.sort()).toEqual([...roleSchema.options].sort());
    const pool = pooled.one('AWS::Cognito::UserPool');
    const client = pooled.one('AWS::Cognito::UserPoolClient');
    expect(authorizerVariables(pooled).Variables).toEqual({
      AUDIT_TABLE: expect.anything(),
      CONFIGURATION_PATH: '/opt/configuration/runtime.json',
      STATE_TABLE: expect.anything(),
      IDENTITY_ISSUER: { 'Fn::GetAtt': [pool.logicalId, 'ProviderURL'] },
      IDENTITY_AUDIENCE: { Ref: client.logicalId },
    });
    const outputs = pooled.assembly.stacks.find(({ name }) => name === 'plain-api')?.template.Outputs ?? {};
    const values = Object.values(outputs).map(({ Value }) => Value);
    expect(values).toEqual(expect.arrayContaining([{ Ref: pool.logicalId }, { Ref: client.logicalId }]));
  });

  it('lets nobody sign up by himself, and asks for strong passwords', () => {
    expect(pooled.one('AWS::Cognito::UserPool').properties).toMatchObject({
      AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
      Policies: { PasswordPolicy: { MinimumLength: 14, RequireNumbers: true, RequireSymbols: true } },
      UsernameConfiguration: { CaseSensitive: false },
    });
    expect(pooled.one('AWS::Cognito::UserPoolClient').properties).toMatchObject({
      PreventUserExistenceErrors: 'ENABLED',
      EnableTokenRevocation: true,
    });
  });
});
