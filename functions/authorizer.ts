import type { APIGatewayAuthorizerResult, APIGatewayRequestAuthorizerEvent } from 'aws-lambda';
import { type AccessDecision, createAccessControl } from '../shared/access/authorize.ts';
import { dynamodbClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { callerContext, refusedContext } from '../shared/http/caller.ts';
import { createLogger } from '../shared/http/log.ts';
import { createRefusalRecorder } from '../shared/security/access/refused-authentications.ts';
import { isRevoked } from '../shared/security/access/revocations.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';
import { readSecuritySettings } from '../shared/security/settings/read-settings.ts';
import { openTable } from '../shared/state/table.ts';
import { printable } from '../shared/text/printable.ts';

/** How long a refusal waits for its record: whoever is refused waits as well, and API Gateway for ten seconds. */
const RECORDING_MS = 2_000;

const table = openTable(dynamodbClient(), readEnvironment(['stateTable']).stateTable);
const decide = createAccessControl({
  identity: loadConfiguration().identity,
  readRules: () => readSecuritySettings(table),
  isRevoked: (token) => isRevoked(table, token),
});
const logger = createLogger('authorizer');
const recordRefusal = createRefusalRecorder({ auditor: openAuditor({ patienceMs: RECORDING_MS }), state: table });

/**
 * REQUEST authorizer of the whole API. API Gateway caches the answer, so it speaks of the stage as a whole; the least role of
 * each route is enforced where it is served, and so is the refusal of a token that has expired or cannot be used: it comes there
 * without a caller, as the 401 of API Gateway could not say why. The cache must be keyed by the token and the caller's address, both.
 *
 * @throws Error `Unauthorized`, the word by which API Gateway answers 401
 */
export async function handler(event: APIGatewayRequestAuthorizerEvent): Promise<APIGatewayAuthorizerResult> {
  const authorization = Object.entries(event.headers ?? {}).find(
    ([name]) => name.toLowerCase() === 'authorization',
  )?.[1];
  const decision = await decide({ authorization, address: event.requestContext.identity.sourceIp });
  if (decision.outcome === 'allowed') {
    return policy(event.methodArn, 'Allow', decision.token.sub, callerContext(decision.token));
  }
  await note(decision, event.requestContext);
  if (decision.outcome === 'told') return policy(event.methodArn, 'Allow', 'nobody', refusedContext(decision.refusal));
  if (decision.outcome === 'denied') return policy(event.methodArn, 'Deny', decision.sub, {});
  throw new Error('Unauthorized');
}

/** Nothing was done, so the answer does not depend on the record. */
async function note(
  { outcome, reason, sub, isVerified }: Exclude<AccessDecision, { outcome: 'allowed' }>,
  { identity, requestId }: APIGatewayRequestAuthorizerEvent['requestContext'],
): Promise<void> {
  const { sourceIp: address } = identity;
  const subject = sub === null ? null : printable(sub);
  const who = { address, ...(isVerified ? { subject } : { claimedSubject: subject }) };
  logger.warn('Access was not given', { outcome, reason: printable(reason), ...who, requestId });
  try {
    await recordRefusal({ address, outcome, reason, subject: sub, isVerified, requestId });
  } catch (error) {
    logger.error('A refused authentication is not in the audit trail', { ...who, requestId, error });
  }
}

function policy(
  methodArn: string,
  effect: 'Allow' | 'Deny',
  principalId: string,
  context: Record<string, string>,
): APIGatewayAuthorizerResult {
  const [api, stage] = methodArn.split('/');
  return {
    principalId,
    policyDocument: {
      Version: '2012-10-17',
      Statement: [{ Action: 'execute-api:Invoke', Effect: effect, Resource: `${api}/${stage}/*` }],
    },
    context,
  };
}
