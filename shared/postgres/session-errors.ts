const SQLSTATE = /^[0-9A-Z]{5}$/;

/** What a network says that has lost the way: by itself, or through keep-alives that nobody answers. */
const NETWORK = /ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENETDOWN/;

/**
 * Whether an error says that the session is gone, whatever the statement was: the server ended it or went down (class 57P),
 * the connection broke (class 08), or the driver noticed it first.
 */
export function isSessionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: string }).code ?? '';
  return (
    /^(57P0[123]|08[0-9A-Z]{3})$/.test(code) ||
    /Connection terminated|not queryable/.test(error.message) ||
    NETWORK.test(`${code} ${error.message}`)
  );
}

/** Whether an error, or what caused it, is what a server has answered, so that the way to it is open. */
export function isAnswer(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return (typeof code === 'string' && code !== 'EPIPE' && SQLSTATE.test(code)) || isAnswer(cause);
}

/** SQLSTATE of a disk that is full. */
export const DISK_FULL = '53100';

/** SQLSTATE of a lock that was not had within `lock_timeout`. */
export const LOCK_NOT_AVAILABLE = '55P03';
