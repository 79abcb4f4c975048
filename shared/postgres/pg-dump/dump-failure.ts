import { OperationError } from '../../errors.ts';
import type { ConnectionTarget } from '../connect.ts';

type Place = Pick<ConnectionTarget, 'host' | 'port' | 'database'>;

const describe = ({ host, port, database }: Place): string => `database "${database}" at ${host}:${port}`;

/** Puts pg_dump's error output into words an administrator can act on. */
export function explainDumpFailure(output: string, place: Place, cause?: unknown): OperationError {
  const options = cause === undefined ? {} : { cause };
  const message = errorLines(output);
  if (/server version mismatch/.test(output)) {
    const server = /server version: ([\w.]+)/.exec(output)?.[1];
    const own = /pg_dump version: (\d[\w.]*?)(?:;|\s|pg_dump|$)/.exec(output)?.[1];
    return new OperationError(
      'pg_dump_too_old',
      `The server of ${describe(place)} (${server ?? 'version unknown'}) is newer than pg_dump (${own ?? 'version unknown'})`,
      "Set PG_DUMP_PATH to a native pg_dump of the server's version or later.",
      options,
    );
  }
  if (/permission denied/.test(message)) {
    return new OperationError(
      'schema_dump_refused',
      `The login may not read the schema of ${describe(place)}: ${message}`,
      'Grant the login USAGE on the schemas and SELECT on the tables and sequences (role pg_read_all_data).',
      options,
    );
  }
  if (/lock timeout|could not obtain lock|canceling statement due to lock/.test(message)) {
    return new OperationError(
      'schema_locked',
      `Another session holds a lock on a table of ${describe(place)}: ${message}`,
      'Try again when the other session has ended, or raise connections.lock_timeout_ms.',
      options,
    );
  }
  if (
    /server closed the connection|connection to server was lost|terminating connection|connection not open/.test(
      message,
    )
  ) {
    return new OperationError(
      'connection_lost',
      `The server ended the connection that read the schema of ${describe(place)}`,
      'Try again; if it persists, look in the server log for a restart or a terminated session.',
      options,
    );
  }
  return new OperationError(
    'schema_dump_failed',
    `pg_dump could not read the schema of ${describe(place)}: ${message}`,
    'Look in the server log for the statement that failed.',
    options,
  );
}

/** The messages themselves: pg_dump's name is taken off, also where the lines were run together. */
function errorLines(output: string): string {
  return output
    .replace(/^pg_dump failed with exit code \d+\.\s*(?:Error message:)?\s*/, '')
    .split(/\n|(?=pg_dump: )/)
    .map((line) => line.replace(/^pg_dump: (?:error: )?/, '').trim())
    .filter(Boolean)
    .join('; ');
}
