import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { basePath, type RouteDefinition } from '../../shared/contract/define-route.ts';
import { type ApiFunction, routes } from '../../shared/contract/routes.ts';
import { entrances } from '../../shared/http/entrances.ts';
import { isEverywhere } from '../config/address-ranges.ts';
import type { Deployment } from '../config/schema.ts';
import { answerWithProblems } from './gateway-problems.ts';

export interface RoutedApiProps {
  readonly deployment: Deployment;
  readonly authorizer: lambda.Function;
  /** Serve the routes, by their names in the route table. */
  readonly functions: Readonly<Record<ApiFunction, lambda.Function>>;
}

/** How long a caller's roles are believed after they were looked at. */
const AUTHORIZATION_KEPT = Duration.minutes(1);

/** One line of JSON for each request. Neither tokens nor queries, which may hold what is nobody else's business. */
const accessLogFormat = apigateway.AccessLogFormat.custom(
  JSON.stringify({
    request_id: apigateway.AccessLogField.contextRequestId(),
    time: apigateway.AccessLogField.contextRequestTimeEpoch(),
    address: apigateway.AccessLogField.contextIdentitySourceIp(),
    caller: apigateway.AccessLogField.contextAuthorizerPrincipalId(),
    method: apigateway.AccessLogField.contextHttpMethod(),
    route: apigateway.AccessLogField.contextResourcePath(),
    status: apigateway.AccessLogField.contextStatus(),
    response_bytes: apigateway.AccessLogField.contextResponseLength(),
    latency_ms: apigateway.AccessLogField.contextResponseLatency(),
    error: apigateway.AccessLogField.contextErrorResponseType(),
  }),
);

/** The REST API, made of the route table: a resource and a method for each route, the same authorizer before all but the public ones. */
export class RoutedApi extends Construct {
  readonly api: apigateway.RestApi;

  constructor(scope: Construct, id: string, { deployment, authorizer, functions }: RoutedApiProps) {
    super(scope, id);
    const accessLog = new logs.LogGroup(this, 'AccessLog', {
      retention: deployment.retention.log_days,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.api = new apigateway.RestApi(this, 'Api', {
      restApiName: deployment.prefix,
      description: 'Database Management System for PostgreSQL',
      endpointTypes: [apigateway.EndpointType.REGIONAL],
      ...onlyFrom(deployment.allowed_address_ranges),
      // API Gateway writes logs with one role for a whole account and region.
      cloudWatchRole: true,
      cloudWatchRoleRemovalPolicy: RemovalPolicy.RETAIN,
      deployOptions: {
        stageName: 'v1',
        accessLogDestination: new apigateway.LogGroupLogDestination(accessLog),
        accessLogFormat,
        loggingLevel: apigateway.MethodLoggingLevel.ERROR,
        // Those of the API as a whole are free; those of each method are custom metrics.
        metricsEnabled: deployment.api.detailed_metrics,
        tracingEnabled: true,
        throttlingRateLimit: deployment.api.requests_per_second,
        throttlingBurstLimit: deployment.api.burst,
        methodOptions: ownThrottle(deployment),
      },
    });
    const definition = this.api.node.defaultChild as apigateway.CfnRestApi;
    // TLS 1.2 and 1.3 with forward secrecy alone; without it, API Gateway takes TLS 1.0 of a regional API.
    definition.securityPolicy = apigateway.SecurityPolicy.TLS13_1_2_PFS_PQ_2025_09;
    // The other mode also compares the name in the TLS handshake, which an API that is in use is to be tried with first.
    definition.endpointAccessMode = apigateway.EndpointAccessMode.BASIC;
    answerWithProblems(this.api);
    this.addRoutes(authorizer, functions);
  }

  private addRoutes(authorizer: lambda.Function, functions: RoutedApiProps['functions']): void {
    const guard = new apigateway.RequestAuthorizer(this, 'Authorizer', {
      handler: authorizer,
      // Both, so that what was decided for one address is not believed from another.
      identitySources: [
        apigateway.IdentitySource.header('Authorization'),
        apigateway.IdentitySource.context('identity.sourceIp'),
      ],
      resultsCacheTtl: AUTHORIZATION_KEPT,
    });
    const requestValidator = this.api.addRequestValidator('Validator', {
      validateRequestBody: true,
      validateRequestParameters: true,
    });
    // The fields are checked where the route is served, by the same schemas: API Gateway's messages do not name them.
    const jsonObject = this.api.addModel('JsonObject', {
      contentType: 'application/json',
      description: 'Any JSON object; the schemas of the bodies are in openapi.json',
      schema: { schema: apigateway.JsonSchemaVersion.DRAFT4, type: apigateway.JsonSchemaType.OBJECT },
    });
    const integrations = new Map(
      Object.entries(functions).map(([name, fn]) => [
        name,
        new apigateway.LambdaIntegration(fn, { allowTestInvoke: false }),
      ]),
    );
    for (const path of entrances) {
      this.api.root.resourceForPath(path).addMethod('GET', integrations.get('docs-api'), {
        authorizationType: apigateway.AuthorizationType.NONE,
        requestValidator,
      });
    }
    for (const route of routes as readonly RouteDefinition[]) {
      const isPublic = route.leastRole === 'public';
      this.api.root.resourceForPath(basePath + route.path).addMethod(route.method, integrations.get(route.servedBy), {
        operationName: route.operationId,
        authorizationType: isPublic ? apigateway.AuthorizationType.NONE : apigateway.AuthorizationType.CUSTOM,
        ...(isPublic ? {} : { authorizer: guard }),
        requestValidator,
        requestParameters: parametersOf(route),
        ...(route.body ? { requestModels: { 'application/json': jsonObject } } : {}),
      });
    }
  }
}

/** Of the requests that the API takes, as a share. */
const PUBLIC_SHARE = 0.2;

/** What needs no token has a throttle of its own: whoever uses it up keeps nobody from the routes that need one. */
function ownThrottle({ api }: Deployment): Record<string, apigateway.MethodDeploymentOptions> {
  const options = {
    loggingLevel: apigateway.MethodLoggingLevel.ERROR,
    metricsEnabled: api.detailed_metrics,
    throttlingRateLimit: Math.max(1, Math.round(api.requests_per_second * PUBLIC_SHARE)),
    throttlingBurstLimit: Math.max(1, Math.round(api.burst * PUBLIC_SHARE)),
  };
  const open = (routes as readonly RouteDefinition[]).filter(({ leastRole }) => leastRole === 'public');
  const methods = [
    ...entrances.map((path) => `${path}/GET`),
    ...open.map(({ method, path }) => `${basePath}${path}/${method}`),
  ];
  return Object.fromEntries(methods.map((method) => [method, options]));
}

/**
 * Keeps all other addresses from the API, the public routes included, before any function runs. Where the ranges hold every address,
 * a policy would say nothing. Settings at run time can narrow them further, not widen them.
 */
function onlyFrom(ranges: readonly string[]): Pick<apigateway.RestApiProps, 'policy'> {
  if (isEverywhere(ranges)) return {};
  const statement = new iam.PolicyStatement({
    principals: [new iam.AnyPrincipal()],
    actions: ['execute-api:Invoke'],
    resources: ['execute-api:/*'],
    conditions: { IpAddress: { 'aws:SourceIp': [...ranges] } },
  });
  return { policy: new iam.PolicyDocument({ statements: [statement] }) };
}

/** Path and query parameters by API Gateway's names, and whether each must be there. */
function parametersOf({ params, query }: RouteDefinition): Record<string, boolean> {
  const named = (place: string, shape: Readonly<Record<string, unknown>> = {}) =>
    Object.entries(shape).map(([name, schema]) => [`method.request.${place}.${name}`, !takesNothing(schema)] as const);
  return Object.fromEntries([...named('path', params?.shape), ...named('querystring', query?.shape)]);
}

function takesNothing(schema: unknown): boolean {
  return (schema as { safeParse: (value: unknown) => { success: boolean } }).safeParse(undefined).success;
}
