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

/** SQLSTATE of a server whose lock table is full. */
const OUT_OF_MEMORY = '53200';

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
