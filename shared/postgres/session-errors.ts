/**
 * Whether an error says that the session is gone, whatever the statement was: the server ended it or went down (class 57P),
 * the connection broke (class 08), or the driver noticed it first.
 */
export function isSessionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: string }).code ?? '';
  return (
    /^(57P0[123]|08[0-9A-Z]{3})$/.test(code) ||
    /Connection terminated|not queryable|ECONNRESET|EPIPE/.test(`${code} ${error.message}`)
  );
}

/** SQLSTATE of a disk that is full. */
export const DISK_FULL = '53100';

/** SQLSTATE of a lock that was not had within `lock_timeout`. */
export const LOCK_NOT_AVAILABLE = '55P03';
