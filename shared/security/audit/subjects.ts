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

/** A change of a definition that an event trigger has told of. */
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
  };
}

/** Records the changes of definitions that a capture has met. */
export function recordDefinitions(auditor: Pick<Auditor, 'happened'>, database: string) {
  return async (commands: readonly ToldDefinition[]): Promise<void> => {
    const told = commands.map((command) => definitionChange(database, command));
    await Promise.all(told.map((subject) => auditor.happened(subject, { outcome: 'succeeded' })));
  };
}
