import { OperationError } from '../errors.ts';
import type { ConnectionTarget } from './connect.ts';

const LOGIN_REFUSED = new Set(['28P01', '28000']);

/** Turns a driver's or the network's error into words an administrator can act on. */
export function explainConnectionFailure(
  error: unknown,
  where: Pick<ConnectionTarget, 'host' | 'port' | 'database'>,
): OperationError {
  const place = `database "${where.database}" at ${where.host}:${where.port}`;
  const code = (error as { code?: string }).code ?? '';
  const message = error instanceof Error ? error.message : String(error);
  if (LOGIN_REFUSED.has(code)) {
    return new OperationError(
      'login_refused',
      `The server refused the login to ${place}: ${message}`,
      'Check the secret or the IAM login of this database, and pg_hba.conf.',
      { cause: error },
    );
  }
  if (code === '3D000') {
    return new OperationError('database_missing', `There is no ${place}`, 'Check the configured name.', {
      cause: error,
    });
  }
  if (/certificate|SSL|TLS|self-signed/i.test(`${code} ${message}`)) {
    return new OperationError(
      'tls_failed',
      `No verified TLS connection to ${place}: ${message}`,
      'Check the certificate authority in the configuration; plain text needs `tls: { mode: disable }`.',
      { cause: error },
    );
  }
  return new OperationError(
    'database_unreachable',
    `No connection to ${place}: ${message || code}`,
    'Check that the server runs, the address, the security group and the connection limit.',
    { cause: error },
  );
}
