import type { AuditEntry } from '../../../contract/schemas/audit.ts';
import { firstRow, type SplitLine } from './split-line.ts';

/** What a line of the server's log says of somebody. */
export type ToldByServer = Pick<
  AuditEntry,
  'actor' | 'operation' | 'target' | 'address' | 'outcome' | 'error' | 'request'
> & {
  /** Name of the database on the server. */
  databaseName: string;
};

/** The ends of sessions that the server did not let in, by what it says of them, with a code for each. */
const refusals: readonly (readonly [said: RegExp, code: string])[] = [
  [/^(?:password|[\w-]+) authentication failed for user/i, 'authentication_failed'],
  [/^no pg_hba\.conf entry/, 'no_hba_entry'],
  [/^pg_hba\.conf rejects/, 'rejected_by_hba'],
  [/^role ".*" (?:does not exist|is not permitted to log in)/, 'login_not_permitted'],
  [/^database ".*" does not exist/, 'unknown_database'],
  [/^permission denied for database/, 'permission_denied'],
  [/^too many connections/, 'too_many_connections'],
  [/^remaining connection slots/, 'too_many_connections'],
];

/**
 * Reads a line that tells of a login, a refused one, a session's end, or a statement (pgaudit's `AUDIT:`, as CSV). Statements keep no
 * constants once they are recorded, and parameters are not read at all.
 *
 * @returns null for any other line
 */
export function readLogLine({ address, user, database, level, message: said }: SplitLine): ToldByServer | null {
  const common = {
    actor: user === '[unknown]' ? 'unknown' : user,
    address: address === '' || address === '[local]' ? null : address,
    databaseName: database,
    target: null,
    error: null,
    request: null,
  };
  if (level === 'FATAL') {
    const code = refusals.find(([words]) => words.test(said))?.[1];
    return code === undefined ? null : { ...common, operation: 'login', outcome: 'refused', error: code };
  }
  if (level !== 'LOG') return null;
  if (said.startsWith('connection authorized:')) {
    const application = / application_name=(.*?)(?: SSL enabled| identity=|$)/m.exec(said)?.[1] ?? null;
    return {
      ...common,
      operation: 'login',
      outcome: 'succeeded',
      request: { application, encrypted: said.includes(' SSL enabled ') },
    };
  }
  if (said.startsWith('disconnection:')) {
    const duration = /session time: ([\d:.]+)/.exec(said)?.[1] ?? null;
    return { ...common, operation: 'logout', outcome: 'succeeded', request: { duration } };
  }
  if (said.startsWith('AUDIT: ')) return readAudit(said.slice('AUDIT: '.length), common);
  return null;
}

/** https://github.com/pgaudit/pgaudit/blob/main/README.md#format */
const COLUMNS = ['type', 'statement_id', 'substatement_id', 'class', 'command', 'object_type', 'object', 'statement'];

function readAudit(csv: string, common: Omit<ToldByServer, 'operation' | 'outcome'>): ToldByServer | null {
  const row = firstRow(csv);
  const told = Object.fromEntries(COLUMNS.map((name, index) => [name, row?.[index] ?? '']));
  if ((told.type !== 'SESSION' && told.type !== 'OBJECT') || !told.command) return null;
  return {
    ...common,
    operation: told.command,
    target: told.object || null,
    // pgaudit tells of a statement before it is executed; one that fails is in the log as an error.
    outcome: 'started',
    request: { class: told.class, object_type: told.object_type || null, statement: told.statement },
  };
}
