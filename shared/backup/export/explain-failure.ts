import { OperationError } from '../../errors.ts';
import { isSessionLost, LOCK_NOT_AVAILABLE } from '../../postgres/session-errors.ts';

/** The session that keeps the snapshot is gone: what is read from now on would be of another moment. */
export function snapshotLost(why = 'The server ended the session that kept the snapshot'): OperationError {
  return new OperationError(
    'snapshot_lost',
    why,
    'Try again; if it persists, look in the server log for a restart or a terminated session.',
  );
}

/** A table is not any more what it was in the snapshot, so its rows or definition cannot be read as of then. */
export function tableChanged(what: string, cause?: unknown): OperationError {
  return new OperationError(
    'table_changed',
    `A table was changed while the backup began: ${what}`,
    'Try again; if it persists, back up when no table is being created or altered.',
    cause === undefined ? {} : { cause },
  );
}

export const UNDEFINED_TABLE = '42P01';
export const UNDEFINED_SCHEMA = '3F000';
const UNDEFINED_COLUMN = '42703';

/** What servers say when a row is longer, as text, than they can hold in one piece: 1 GB. */
const TOO_LONG = /invalid memory alloc request size|string buffer exceeds maximum|Cannot enlarge string buffer/;

/** SQLSTATE of a server whose lock table is full. */
const OUT_OF_MEMORY = '53200';

/**
 * Names the table of a row that is too long for the server.
 *
 * @param what - the stored object that was to take it
 * @returns `value_too_large`; any other error as it is
 */
export function explainLongRow(error: unknown, what: string): unknown {
  if (!(error instanceof Error)) return error;
  const { detail = '' } = error as { detail?: string };
  if (!TOO_LONG.test(`${error.message} ${detail}`)) return error;
  return new OperationError(
    'value_too_large',
    `The server cannot send a row of ${what}, as it is longer than 1 GB as text: ${error.message}`,
    'bytea takes twice its length as text. Split or remove such values, or leave the table out with `exclude`; pg_dump fails in the same way.',
    { cause: error },
  );
}

/** Turns a server error into words an administrator can act on; others are passed on. */
export function explainExportFailure(error: unknown): unknown {
  if (error instanceof OperationError || !(error instanceof Error)) return error;
  const code = (error as { code?: string }).code ?? '';
  if (isSessionLost(error)) {
    return new OperationError(
      'connection_lost',
      `The server ended a connection of the backup: ${error.message}`,
      'Try again; if it persists, look in the server log for a restart or a terminated session.',
      { cause: error },
    );
  }
  if (code === LOCK_NOT_AVAILABLE) {
    return new OperationError(
      'table_locked',
      'Another session holds an exclusive lock on a table (ALTER, TRUNCATE, VACUUM FULL, ...) for longer than the lock time-out',
      'Try again when it has ended, or raise connections.lock_timeout_ms.',
      { cause: error },
    );
  }
  if (code === OUT_OF_MEMORY && /lock/i.test(`${error.message} ${(error as { hint?: string }).hint ?? ''}`)) {
    return new OperationError(
      'too_many_locks',
      'The server has no room for a lock on each of the tables; pg_dump would fail in the same way',
      'Raise max_locks_per_transaction (times max_connections, it must exceed four times the number of tables), and restart.',
      { cause: error },
    );
  }
  if ([UNDEFINED_TABLE, UNDEFINED_SCHEMA, UNDEFINED_COLUMN].includes(code)) return tableChanged(error.message, error);
  if (/^[0-9A-Z]{5}$/.test(code)) {
    return new OperationError(
      'export_failed',
      `The server refused a statement of the backup (SQLSTATE ${code}): ${error.message}`,
      'Mend the cause that the server names, then back up again.',
      { cause: error },
    );
  }
  return error;
}
