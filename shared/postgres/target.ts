import type { ConnectionLimits, Database } from '../configuration/runtime.ts';
import type { ConnectionTarget } from './connect.ts';
import { type CredentialsClients, credentialsFor } from './credentials.ts';

/**
 * A configured database as something to connect to. Make it once per process: it keeps the secret for a while.
 *
 * @param applicationName - seen in `pg_stat_activity`; the server cuts it after 63 bytes
 */
export function connectionTarget(
  database: Database,
  limits: ConnectionLimits,
  clients: CredentialsClients,
  applicationName: string,
): ConnectionTarget {
  const { host, port, name, tls } = database;
  return { host, port, database: name, tls, limits, applicationName, credentials: credentialsFor(database, clients) };
}
