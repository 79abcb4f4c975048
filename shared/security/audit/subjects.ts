import type { Auditor, AuditSubject } from './auditor.ts';

/** What a scheduled function does for one database, or for the system as a whole. */
export function scheduledWork(operation: string, database: string | null): AuditSubject {
  return { source: 'system', actor: 'schedule', operation, database, target: null, address: null, request_id: null };
}

interface ToldDefinition {
  tag: string;
  role: string;
  query: string;
  lsn: string;
  committed_at: string;
}

/**
 * A change of a definition that an event trigger has told of. That the trigger told it is verified; who acted and with what statement is what the
 * database says, whose owner can change what it says.
 */
function definitionChange(database: string, { tag, role, query, lsn, committed_at }: ToldDefinition): AuditSubject {
  return {
    source: 'database',
    actor: role,
    operation: tag,
    database,
    target: null,
    address: null,
    request_id: lsn,
    request: { statement: query, committed_at },
    claimed: ['actor', 'operation', 'request'],
  };
}

interface UnauthenticatedMessages {
  count: number;
  claims: readonly { xid: string | null; claimed: { tag: string; role: string; query: string } | null }[];
}

/** Records an attempt: messages that claim to tell of changes of definitions. Who wrote them is not known; what they say is a claim. */
export function recordUnauthenticated(auditor: Pick<Auditor, 'happened'>, database: string) {
  return async ({ count, claims }: UnauthenticatedMessages): Promise<void> => {
    const subject: AuditSubject = {
      source: 'database',
      actor: 'unknown',
      operation: 'unauthenticated definition messages',
      database,
      target: null,
      address: null,
      request_id: claims[0]?.xid ?? null,
      request: { count, first: claims.map(({ xid, claimed }) => ({ transaction: xid, claimed })) },
      claimed: ['request'],
    };
    await auditor.happened(subject, { outcome: 'refused', error: 'definition_not_authenticated' });
  };
}

/** Records the changes of definitions that a capture has met. */
export function recordDefinitions(auditor: Pick<Auditor, 'happened'>, database: string) {
  return async (commands: readonly ToldDefinition[]): Promise<void> => {
    const told = commands.map((command) => definitionChange(database, command));
    await Promise.all(told.map((subject) => auditor.happened(subject, { outcome: 'succeeded' })));
  };
}
