import * as z from 'zod';
import { matches } from '../iam/pattern.ts';
import type { LambdaService } from '../lambda/service.ts';
import type { Authorizer, RestApi } from '../template/api.ts';
import { type AuthorizerContext, commonEvent, type GatewayRequest, header, methodArn } from './request.ts';
import { GatewayError } from './responses.ts';
import type { Route } from './routing.ts';

const list = z.union([z.string(), z.array(z.string())]).transform((given) => (Array.isArray(given) ? given : [given]));

const policySchema = z.object({
  principalId: z.string(),
  policyDocument: z.object({
    Statement: z
      .union([z.array(z.unknown()), z.unknown().transform((one) => [one])])
      .pipe(z.array(z.object({ Effect: z.enum(['Allow', 'Deny']), Action: list, Resource: list }))),
  }),
  // API Gateway refuses anything but these in an authorizer's context.
  context: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).nullish(),
});

type Verdict = z.output<typeof policySchema>;

export type Authorize = (request: GatewayRequest, route: Route) => Promise<AuthorizerContext>;

/** Asks the Lambda authorizer of a method, keeps its answers for the time it allows, and applies their policies. */
export function createAuthorization(api: RestApi, lambda: LambdaService): Authorize {
  const cache = new Map<string, { verdict: Verdict; until: number }>();

  async function ask(
    authorizer: Authorizer,
    request: GatewayRequest,
    route: Route,
    sources: readonly string[],
  ): Promise<Verdict> {
    const key = `${authorizer.id}\n${sources.join('\n')}`;
    const kept = cache.get(key);
    if (kept && kept.until > Date.now()) return kept.verdict;
    const arn = methodArn(api, request);
    const event =
      authorizer.Type === 'TOKEN'
        ? { type: 'TOKEN', methodArn: arn, authorizationToken: sources[0] }
        : {
            type: 'REQUEST',
            methodArn: arn,
            ...(sources[0] === undefined ? {} : { identitySource: sources[0] }),
            ...commonEvent(api, request, route),
          };
    const { outcome } = await lambda.invoke({ functionName: authorizer.functionArn, payload: JSON.stringify(event) });
    if (!outcome.ok)
      throw new GatewayError(outcome.error.errorMessage === 'Unauthorized' ? 'UNAUTHORIZED' : 'AUTHORIZER_FAILURE');
    const verdict = policySchema.safeParse(JSON.parse(outcome.payload));
    if (!verdict.success) throw new GatewayError('AUTHORIZER_CONFIGURATION_ERROR');
    const seconds = authorizer.AuthorizerResultTtlInSeconds;
    if (seconds > 0) {
      if (cache.size > 10_000) cache.clear();
      cache.set(key, { verdict: verdict.data, until: Date.now() + seconds * 1000 });
    }
    return verdict.data;
  }

  return async (request, route) => {
    const { authorizer } = route.method;
    if (!authorizer) return null;
    const sources = authorizer.IdentitySource.split(',')
      .map((source) => source.trim())
      .filter((source) => source !== '')
      .map((source) => identity(source, api, request));
    const [token] = sources;
    const expression = authorizer.IdentityValidationExpression;
    if (sources.some((source) => !source) || (expression && !new RegExp(`^(?:${expression})$`).test(token ?? ''))) {
      throw new GatewayError('UNAUTHORIZED');
    }
    const { principalId, policyDocument, context } = await ask(authorizer, request, route, sources.map(String));
    const arn = methodArn(api, request);
    const applying = policyDocument.Statement.filter(
      ({ Action, Resource }) =>
        Action.some((action) => matches(action, 'execute-api:Invoke')) &&
        Resource.some((resource) => matches(resource, arn)),
    );
    if (applying.some(({ Effect }) => Effect === 'Deny')) {
      throw new GatewayError('ACCESS_DENIED', 'User is not authorized to access this resource with an explicit deny');
    }
    if (applying.length === 0) throw new GatewayError('ACCESS_DENIED');
    const texts = Object.fromEntries(Object.entries(context ?? {}).map(([name, value]) => [name, String(value)]));
    return { principalId, ...texts, integrationLatency: 0 };
  };
}

function identity(source: string, api: RestApi, request: GatewayRequest): string | undefined {
  const [, kind, name = ''] =
    /^(?:method\.request\.)?(header|querystring|stageVariables|context)\.(.+)$/.exec(source) ?? [];
  if (kind === 'header') return header(request, name);
  if (kind === 'querystring') return request.query.get(name) ?? undefined;
  if (kind === 'stageVariables') return api.stage.Variables[name];
  const context: Record<string, string | undefined> = {
    'identity.sourceIp': request.sourceIp,
    httpMethod: request.httpMethod,
    path: request.path,
    'identity.userAgent': header(request, 'user-agent'),
  };
  return context[name];
}
