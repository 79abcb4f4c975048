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
    const own = /pg_dump version: (\d+(?:\.\d+)*)/.exec(output)?.[1];
    return new OperationError(
      'pg_dump_too_old',
      `The server of ${describe(place)} (${server ?? 'version unknown'}) is newer than pg_dump (${own ?? 'version unknown'})`,
      "Set PG_DUMP_PATH to a native pg_dump of the server's version or later.",
      options,
    );
  }
  if (/invalid byte sequence for encoding/.test(message)) return schemaNotUnicode(place.database, options);
  if (/permission denied/.test(message)) {
    return new OperationError(
      'schema_dump_refused',
      `The login may not read the schema of ${describe(place)}: ${message}`,
      'Grant the login USAGE on the schemas and SELECT on the tables and sequences (role pg_read_all_data).',
      options,
    );
  }
  if (/LOCK TABLE/.test(output) && /timeout/.test(message)) {
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

/** Databases with the encoding SQL_ASCII may hold any bytes; the stored schema is Unicode. */
export function schemaNotUnicode(database: string, options?: ErrorOptions): OperationError {
  return new OperationError(
    'schema_not_unicode',
    `The schema of database "${database}" (encoding SQL_ASCII) holds text that is not valid UTF-8`,
    'Rename or re-create the objects whose names, defaults or comments are in another encoding.',
    options,
  );
}

/** The errors themselves, without the queries they came from and without remarks; also where lines were run together. */
function errorLines(output: string): string {
  const lines = output
    .replace(/^pg_dump failed with exit code \d+\.\s*(?:Error message:)?\s*/, '')
    .split(/\n|(?=pg_dump: )/)
    .map((line) => line.replace(/^pg_dump: /, '').trim())
    .filter((line) => line !== '' && !/^(could not find a "|detail: |hint: |warning: )/.test(line));
  return lines.map((line) => line.replace(/^error: /, '')).join('; ');
}
