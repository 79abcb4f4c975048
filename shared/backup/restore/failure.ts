import { isResumable } from '../../core/errors/kinds.ts';
import { OperationError } from '../../errors.ts';
import { DISK_FULL, isSessionLost, LOCK_NOT_AVAILABLE } from '../../postgres/session-errors.ts';

/** Whether a restore can go on from where it was. */
export function canGoOn(failure: unknown): boolean {
  return failure instanceof OperationError ? isResumable(failure) : (failure as Error | null)?.name === 'TimeoutError';
}

/** A restore that was ended by a passing cause. What is done is kept in the database `staging`. */
export class UnfinishedRestore extends Error {
  override readonly name = 'UnfinishedRestore';
  readonly staging: string;

  constructor(cause: unknown, staging: string) {
    super('The restore was ended before it was complete', { cause });
    this.staging = staging;
  }
}

/** Turns what ended a restore into words an administrator can act on. */
export function explainRestoreFailure(error: unknown): unknown {
  if (error instanceof OperationError || !(error instanceof Error)) return error;
  const code = (error as { code?: string }).code ?? '';
  if (isSessionLost(error)) {
    return new OperationError(
      'connection_lost',
      `The server ended a connection of the restore: ${error.message}`,
      'Try again; if it persists, look in the server log for a restart or a terminated session.',
      { cause: error },
    );
  }
  if (code === DISK_FULL) {
    return new OperationError(
      'disk_full',
      `The target server has no disk space left: ${error.message}`,
      'Free or add disk space, then restore again.',
      { cause: error },
    );
  }
  if (code === LOCK_NOT_AVAILABLE) {
    return new OperationError(
      'table_locked',
      `Another session keeps a table locked: ${error.message}`,
      'Wait for it or end it, then restore again.',
      { cause: error },
    );
  }
  if (/^[0-9A-Z]{5}$/.test(code)) {
    return new OperationError(
      'restore_failed',
      `The server refused a statement of the restore (SQLSTATE ${code}): ${error.message}`,
      'Mend the cause that the server names, then restore again.',
      { cause: error },
    );
  }
  return error;
}
