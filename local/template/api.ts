import * as z from 'zod';
import type { Resource } from './intrinsics.ts';

const text = z.string();
const resourceSchema = z.object({ ParentId: text, PathPart: text });
const methodSchema = z.object({
  HttpMethod: text,
  ResourceId: text,
  AuthorizationType: text.default('NONE'),
  AuthorizerId: text.optional(),
  ApiKeyRequired: z.boolean().default(false),
  OperationName: text.optional(),
  RequestValidatorId: text.optional(),
  RequestModels: z.record(text, text).default({}),
  RequestParameters: z.record(text, z.unknown()).default({}),
  Integration: z
    .object({
      Type: text,
      Uri: text.optional(),
      TimeoutInMillis: z.number().default(29_000),
      IntegrationResponses: z
        .array(
          z.object({
            StatusCode: text,
            ResponseParameters: z.record(text, text).default({}),
            ResponseTemplates: z.record(text, text).default({}),
          }),
        )
        .default([]),
    })
    .optional(),
});
const validatorSchema = z.object({
  ValidateRequestBody: z.boolean().default(false),
  ValidateRequestParameters: z.boolean().default(false),
});
const modelSchema = z.object({ Schema: z.record(text, z.unknown()) });
const authorizerSchema = z.object({
  Type: z.enum(['TOKEN', 'REQUEST']),
  AuthorizerUri: text,
  IdentitySource: text.default(''),
  IdentityValidationExpression: text.optional(),
  AuthorizerResultTtlInSeconds: z.number().default(300),
});
const gatewayResponseSchema = z.object({
  ResponseType: text,
  StatusCode: text.optional(),
  ResponseParameters: z.record(text, text).default({}),
  ResponseTemplates: z.record(text, text).default({}),
});
const stageSchema = z.object({
  StageName: text,
  Variables: z.record(text, text).default({}),
  MethodSettings: z
    .array(
      z.object({
        HttpMethod: text.default('*'),
        ResourcePath: text.default('/*'),
        ThrottlingRateLimit: z.number().optional(),
        ThrottlingBurstLimit: z.number().optional(),
      }),
    )
    .default([]),
});
const texts = z.union([text, z.array(text)]).transform((given) => (Array.isArray(given) ? given : [given]));
/** Statements that let addresses in; any other kind of policy does not run locally. */
const policySchema = z.object({
  Statement: z.array(
    z.object({
      Effect: z.literal('Allow'),
      Action: z.literal('execute-api:Invoke'),
      Resource: z.literal('execute-api:/*'),
      Condition: z.strictObject({ IpAddress: z.strictObject({ 'aws:SourceIp': texts }) }),
    }),
  ),
});
const restApiSchema = z.object({
  BinaryMediaTypes: z.array(text).default([]),
  Body: z.unknown().optional(),
  Policy: policySchema.optional(),
});

/** A rate for each address; any other kind of web ACL does not run locally. */
/** The groups of AWS's own rules, beside the limit of each address, have no stand-in here. */
const rateRuleSchema = z.object({
  Action: z.strictObject({ Block: z.object({}) }),
  Statement: z.strictObject({
    RateBasedStatement: z.strictObject({
      AggregateKeyType: z.literal('IP'),
      Limit: z.number(),
      EvaluationWindowSec: z.number().default(300),
    }),
  }),
});
const webAclSchema = z.object({
  DefaultAction: z.strictObject({ Allow: z.object({}) }),
  Rules: z.array(z.object({ Statement: z.record(z.string(), z.unknown()) }).loose()),
});

export type Authorizer = z.output<typeof authorizerSchema> & { readonly id: string; readonly functionArn: string };
export type GatewayResponse = z.output<typeof gatewayResponseSchema>;
export type Stage = z.output<typeof stageSchema>;

export type ApiMethod = {
  /** `ANY` or one HTTP method. */
  readonly httpMethod: string;
  readonly resourceId: string;
  /** Such as `/api/database/jobs/{id}`. */
  readonly resourcePath: string;
  readonly operationName: string | null;
  readonly authorizer: Authorizer | null;
  readonly validateBody: boolean;
  readonly validateParameters: boolean;
  /** Names of models by content type. */
  readonly requestModels: Readonly<Record<string, string>>;
  /** Required parameters, such as `method.request.querystring.database`. */
  readonly requiredParameters: readonly string[];
  /** The function behind an AWS_PROXY integration; null for a MOCK. */
  readonly functionArn: string | null;
  readonly timeoutMilliseconds: number;
  readonly mockResponse: {
    readonly statusCode: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  } | null;
};

/** The REST API that the template describes. */
export type RestApi = {
  readonly id: string;
  readonly stage: Stage;
  readonly methods: readonly ApiMethod[];
  /** JSON schemas (draft 4) by model name. */
  readonly models: Readonly<Record<string, Record<string, unknown>>>;
  readonly gatewayResponses: ReadonlyMap<string, GatewayResponse>;
  readonly binaryMediaTypes: readonly string[];
  /** CIDR ranges that its resource policy lets in; null: it has none. */
  readonly addressRanges: readonly string[] | null;
  /** Requests of one address in some seconds that its web ACL lets through; null: it has none. */
  readonly addressLimit: AddressLimit | null;
};

export type AddressLimit = { readonly requests: number; readonly seconds: number };

/** Reads the app's REST API; null when it has none. @throws Error naming what would not run locally as it does in API Gateway. */
export function readRestApi(resources: readonly Resource[]): RestApi | null {
  const ofType = (kind: string) => resources.filter(({ type }) => type === `AWS::ApiGateway::${kind}`);
  const [api, second] = ofType('RestApi');
  if (!api) return null;
  if (second) throw new Error(`The app has two REST APIs, ${api.logicalId} and ${second.logicalId}; one runs locally`);
  const restApi = restApiSchema.parse(api.properties);
  if (restApi.Body !== undefined)
    throw new Error(
      `REST API ${api.logicalId} is given as a document; locally it is read from its resources and methods`,
    );
  const [stage] = ofType('Stage');
  if (!stage) throw new Error(`REST API ${api.logicalId} has no stage`);

  const parents = new Map(ofType('Resource').map(({ ref, properties }) => [ref, resourceSchema.parse(properties)]));
  const pathOf = (id: string): string => {
    const own = parents.get(id);
    return own ? `${pathOf(own.ParentId)}/${own.PathPart}` : '';
  };
  const validators = new Map(
    ofType('RequestValidator').map(({ ref, properties }) => [ref, validatorSchema.parse(properties)]),
  );
  const authorizers = new Map(
    ofType('Authorizer').map(({ ref, properties }) => {
      const parsed = authorizerSchema.parse(properties);
      return [ref, { ...parsed, id: ref, functionArn: functionOf(parsed.AuthorizerUri) }];
    }),
  );

  const methods = ofType('Method').map(({ logicalId, properties }): ApiMethod => {
    const parsed = methodSchema.parse(properties);
    const integration = parsed.Integration;
    if (integration?.Type !== 'AWS_PROXY' && integration?.Type !== 'MOCK') {
      throw new Error(
        `Method ${logicalId}: an integration of type ${integration?.Type ?? 'none'} does not run locally`,
      );
    }
    if (parsed.ApiKeyRequired) throw new Error(`Method ${logicalId}: API keys are not checked locally`);
    const authorizer = parsed.AuthorizationType === 'CUSTOM' ? authorizers.get(parsed.AuthorizerId ?? '') : null;
    if (authorizer === undefined || !['CUSTOM', 'NONE'].includes(parsed.AuthorizationType)) {
      throw new Error(`Method ${logicalId}: authorization ${parsed.AuthorizationType} does not run locally`);
    }
    const validator = validators.get(parsed.RequestValidatorId ?? '');
    return {
      httpMethod: parsed.HttpMethod,
      resourceId: parsed.ResourceId,
      resourcePath: pathOf(parsed.ResourceId) || '/',
      operationName: parsed.OperationName ?? null,
      authorizer,
      validateBody: validator?.ValidateRequestBody ?? false,
      validateParameters: validator?.ValidateRequestParameters ?? false,
      requestModels: parsed.RequestModels,
      requiredParameters: Object.entries(parsed.RequestParameters)
        .filter(([, required]) => required === true || required === 'true')
        .map(([name]) => name),
      functionArn: integration.Type === 'AWS_PROXY' ? functionOf(integration.Uri ?? '') : null,
      timeoutMilliseconds: integration.TimeoutInMillis,
      mockResponse: integration.Type === 'MOCK' ? mockResponse(integration.IntegrationResponses[0]) : null,
    };
  });

  return {
    id: api.ref,
    stage: stageSchema.parse(stage.properties),
    methods,
    models: Object.fromEntries(
      ofType('Model').map(({ ref, properties }) => [ref, modelSchema.parse(properties).Schema]),
    ),
    gatewayResponses: new Map(
      ofType('GatewayResponse').map(({ properties }) => {
        const parsed = gatewayResponseSchema.parse(properties);
        return [parsed.ResponseType, parsed];
      }),
    ),
    binaryMediaTypes: restApi.BinaryMediaTypes,
    addressLimit: addressLimitOf(resources),
    addressRanges: restApi.Policy?.Statement.flatMap(({ Condition }) => Condition.IpAddress['aws:SourceIp']) ?? null,
  };
}

function addressLimitOf(resources: readonly Resource[]): AddressLimit | null {
  const [acl] = resources.filter(({ type }) => type === 'AWS::WAFv2::WebACL');
  if (!acl) return null;
  const rule = webAclSchema.parse(acl.properties).Rules.find(({ Statement }) => 'RateBasedStatement' in Statement);
  if (!rule) return null;
  const { Statement } = rateRuleSchema.parse(rule);
  const { Limit: requests, EvaluationWindowSec: seconds } = Statement.RateBasedStatement;
  return { requests, seconds };
}

function functionOf(uri: string): string {
  const arn = /:lambda:path\/2015-03-31\/functions\/(.+)\/invocations$/.exec(uri)?.[1];
  if (arn === undefined) throw new Error(`No Lambda function in the integration address ${uri}`);
  return arn;
}

function mockResponse(
  given:
    | { StatusCode: string; ResponseParameters: Record<string, string>; ResponseTemplates: Record<string, string> }
    | undefined,
) {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given?.ResponseParameters ?? {})) {
    headers[name.replace('method.response.header.', '')] = value.replaceAll(/^'|'$/g, '');
  }
  return {
    statusCode: Number(given?.StatusCode ?? 200),
    headers,
    body: Object.values(given?.ResponseTemplates ?? {})[0] ?? '',
  };
}
