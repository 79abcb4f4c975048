import type { Logger } from '@aws-lambda-powertools/logger';
import { dynamodbClient } from '../aws/clients.ts';
import { readEnvironment } from '../configuration/environment.ts';
import { loadConfiguration } from '../configuration/load.ts';
import type { Database } from '../configuration/runtime.ts';
import type { RouteDefinition } from '../contract/define-route.ts';
import type { Auditor, AuditSubject } from '../security/audit/auditor.ts';
import { databaseConcerned } from '../security/audit/concerned-database.ts';
import { openAuditor } from '../security/audit/open-auditor.ts';
import { openTable, type StateTable } from '../state/table.ts';
import type { ApiEvent } from './event.ts';
import { problemOf, Refusal } from './problem.ts';
import type { ParsedRequest } from './read-request.ts';

/** What an API function writes the audit trail with. */
export interface ApiAudit {
  auditor: Auditor;
  state: StateTable;
  /** The configured databases; the first is the default. */
  databases: readonly Database[];
}

/** As the environment of the function says. */
export function openApiAudit(logger: Logger): ApiAudit {
  const state = openTable(dynamodbClient(), readEnvironment(['stateTable']).stateTable);
  const auditor = openAuditor({
    judge: (error) => {
      const { status, code } = JSON.parse(problemOf(error, '').body) as { status: number; code: string };
      return { outcome: status < 500 ? 'refused' : 'failed', code };
    },
    onLost: ({ operation, request_id }, error) =>
      logger.error('How an operation ended is not in the audit trail', { operation, requestId: request_id, error }),
  });
  return { auditor, state, databases: loadConfiguration().databases };
}

/** What the audit trail says of a call. @throws the SDK's errors, when it cannot be told which database it concerns */
export async function subjectOfCall(
  { state, databases }: Pick<ApiAudit, 'state' | 'databases'>,
  route: RouteDefinition,
  event: ApiEvent,
  sub: string,
  request: ParsedRequest | null,
): Promise<AuditSubject> {
  const params = (request?.params ?? event.pathParameters ?? {}) as Record<string, unknown>;
  const query = (request?.query ?? event.queryStringParameters ?? {}) as Record<string, unknown>;
  const body = (request?.body ?? {}) as Record<string, unknown>;
  const named = Object.values(params).map(String).join('/');
  const database = await databaseConcerned(
    state,
    databases.map(({ id }) => id),
    {
      id: named,
      takesDatabase: route.query !== undefined && 'database' in route.query.shape && query.scope !== 'system',
      database: query.database,
      backupId: body.backup_id,
    },
  );
  return {
    source: 'api',
    actor: sub,
    operation: route.operationId,
    database,
    target: named || text(body.target_database) || text(body.backup_id) || null,
    address: event.requestContext.identity?.sourceIp ?? null,
    request_id: event.requestContext.requestId,
    always: route.alwaysAudited ?? false,
    request: request && { query: request.query, body: request.body ?? null },
  };
}

/** Records that a verified caller asked for what is not given. Nothing was done, so the answer does not depend on it. */
export async function recordRefusal(
  audit: ApiAudit,
  route: RouteDefinition,
  event: ApiEvent,
  error: unknown,
  logger: Logger,
): Promise<void> {
  const sub = event.requestContext.authorizer?.sub;
  if (typeof sub !== 'string' || sub === '' || !(error instanceof Refusal)) return;
  try {
    const subject = await subjectOfCall(audit, route, event, sub, null);
    await audit.auditor.happened(subject, { outcome: 'refused', error: error.code });
  } catch (lost) {
    logger.error('A refusal is not in the audit trail', { operation: route.operationId, error: lost });
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
