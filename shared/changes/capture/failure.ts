import { OperationError } from '../../errors.ts';
import { isSessionLost } from '../../postgres/session-errors.ts';

/** configuration_limit_exceeded: of those there are, reading changes meets temp_file_limit alone. */
const CONFIGURATION_LIMIT = '53400';

/** Turns an error of the server into words an administrator can act on. */
export function explainCaptureFailure(error: unknown, slot: string): unknown {
  if (error instanceof OperationError || !(error instanceof Error)) return error;
  const code = (error as { code?: string }).code ?? '';
  if (isSessionLost(error)) {
    return new OperationError(
      'connection_lost',
      `The server ended the connection that reads changes: ${error.message}`,
      'Nothing is lost: the next run reads them again.',
      { cause: error },
    );
  }
  if (!/^[0-9A-Z]{5}$/.test(code)) return error;
  return new OperationError(
    'capture_failed',
    `The server could not give the changes of slot ${slot} (SQLSTATE ${code}): ${error.message}`,
    code === CONFIGURATION_LIMIT
      ? 'Nothing is lost yet: the server spools a transaction in temporary files. Raise temp_file_limit for the login (ALTER ROLE ... SET temp_file_limit) above the decoded size of the largest transaction.'
      : 'Nothing is lost yet: mend the cause that the server names before its log fills the disk.',
    { cause: error },
  );
}
