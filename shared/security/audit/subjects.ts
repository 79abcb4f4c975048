import type { AuditSubject } from './auditor.ts';

/** What a scheduled function does for one database. */
export function scheduledWork(operation: string, database: string): AuditSubject {
  return { source: 'system', actor: 'schedule', operation, database, target: null, address: null, request_id: null };
}

/** A change of a definition that an event trigger has told of. */
export function definitionChange(
  database: string,
  {
    tag,
    role,
    query,
    lsn,
    committed_at,
  }: { tag: string; role: string; query: string; lsn: string; committed_at: string },
): AuditSubject {
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
