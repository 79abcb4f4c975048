import type { AuditEntry } from '../../../contract/schemas/audit.ts';
import { MAX_NAME_BYTES } from './read-prefix.ts';
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
export function readLogLine(line: SplitLine): ToldByServer | null {
  const { address, user, database, asLogged = null, level, message: said } = line;
  if (line.isAmbiguous) return unreadable(said);
  const common = {
    actor: user === '[unknown]' ? 'unknown' : user,
    address: address === '' || address === '[local]' ? null : address,
    databaseName: database,
    target: null,
    error: null,
    request: asLogged === null ? null : { as_logged: asLogged },
  };
  if (level === 'FATAL') {
    const code = refusals.find(([words]) => words.test(said))?.[1];
    return code === undefined ? null : { ...common, operation: 'login', outcome: 'refused', error: code };
  }
  if (level !== 'LOG') return null;
  if (/^(?:replication )?connection authorized: /.test(said)) {
    return { ...common, operation: 'login', outcome: 'succeeded', request: { ...common.request, ...readLogin(said) } };
  }
  if (said.startsWith('disconnection:')) {
    const duration = /session time: ([\d:.]+)/.exec(said)?.[1] ?? null;
    return { ...common, operation: 'logout', outcome: 'succeeded', request: { ...common.request, duration } };
  }
  if (said.startsWith('AUDIT: ')) return readAudit(said.slice('AUDIT: '.length), common);
  return null;
}

/** Beyond it, a line that cannot be read is cut off. */
const MAX_LINE_CHARACTERS = 2000;

/** Of a line whose names look like a prefix: somebody may have wanted a record of what nobody did. It is kept as it is, as nobody's. */
function unreadable(line: string): ToldByServer {
  return {
    actor: 'unknown',
    operation: 'unreadable log line',
    outcome: 'failed',
    error: 'ambiguous_log_line',
    address: null,
    databaseName: '',
    target: null,
    request: { statement: line.slice(0, MAX_LINE_CHARACTERS) },
  };
}

/** How the server ends what it says of a login over TLS or GSS (PerformAuthentication in its postinit.c). */
const ENCRYPTION =
  /(?<tls> SSL enabled \(protocol=[\w.]+, cipher=[\w-]+, bits=\d+(?:, compression=\w+)?\))?(?: GSS \(authenticated=\w+, encrypted=(?<gss>yes|no)[^()]*\))?\s*$/;

/**
 * What a session calls itself comes before what the server says of its encryption, and may have the same words. It has 63 characters at most: only
 * what is longer cannot be the session's own.
 *
 * @returns `encrypted` null where it cannot be told
 */
function readLogin(said: string): { application: string | null; encrypted: boolean | null } {
  const [line = ''] = said.split('\n');
  const name = line.indexOf(' application_name=');
  const told = name < 0 ? line : line.slice(name + ' application_name='.length);
  const suffix = ENCRYPTION.exec(told);
  const isSaid = suffix?.groups?.tls !== undefined || suffix?.groups?.gss === 'yes';
  const ownEnd = isSaid && suffix ? suffix.index : told.length;
  const application = name < 0 ? null : told.slice(0, ownEnd).trimEnd();
  if (name < 0) return { application, encrypted: isSaid };
  return { application, encrypted: isSaid && told.length <= MAX_NAME_BYTES ? null : isSaid };
}

/** https://github.com/pgaudit/pgaudit/blob/main/README.md#format */
const COLUMNS = ['type', 'statement_id', 'substatement_id', 'class', 'command', 'object_type', 'object', 'statement'];

function readAudit(
  csv: string,
  common: Omit<ToldByServer, 'operation' | 'outcome' | 'request'> & { request: object | null },
): ToldByServer | null {
  const row = firstRow(csv);
  const told = Object.fromEntries(COLUMNS.map((name, index) => [name, row?.[index] ?? '']));
  if ((told.type !== 'SESSION' && told.type !== 'OBJECT') || !told.command) return null;
  return {
    ...common,
    operation: told.command,
    target: told.object || null,
    // pgaudit tells of a statement before it is executed; one that fails is in the log as an error.
    outcome: 'started',
    request: {
      ...common.request,
      class: told.class,
      object_type: told.object_type || null,
      statement: told.statement,
    },
  };
}
