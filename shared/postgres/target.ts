import type { ConnectionLimits, Database } from '../configuration/runtime.ts';
import type { ConnectionTarget } from './connect.ts';
import { type CredentialsClients, credentialsFor } from './credentials.ts';
import { type Pooler, poolerByAddress } from './pooler.ts';

/**
 * A configured database as something to connect to, at the address of the server itself: `direct` where it is configured. Make it once
 * per process: it keeps the secret for a while.
 *
 * @param applicationName - seen in `pg_stat_activity`; the server cuts it after 63 bytes
 */
export function connectionTarget(
  database: Database,
  limits: ConnectionLimits,
  clients: CredentialsClients,
  applicationName: string,
): ConnectionTarget {
  return targetAt(directAddress(database), database, limits, clients, applicationName);
}

/** As {@link connectionTarget}, at `host`, where a connection pooler may be: for what works through one. */
export function monitoringTarget(
  database: Database,
  limits: ConnectionLimits,
  clients: CredentialsClients,
  applicationName: string,
): ConnectionTarget {
  const { host, port, tls } = database;
  return targetAt({ host, port, tls, setting: 'host' }, database, limits, clients, applicationName);
}

type Address = Required<Pick<ConnectionTarget, 'host' | 'port' | 'tls' | 'setting'>>;

/** Where the server itself is, as far as the configuration tells. */
function directAddress({ host, port, tls, direct }: Pick<Database, 'host' | 'port' | 'tls' | 'direct'>): Address {
  if (!direct) return { host, port, tls, setting: 'host' };
  return { host: direct.host, port: direct.port, tls: direct.tls ?? tls, setting: 'direct.host' };
}

/** Whether two configured databases are on one server, as far as their addresses tell: a server may have several. */
export function areOnOneServer(one: Database, other: Database): boolean {
  const [here, there] = [directAddress(one), directAddress(other)];
  return here.host.toLowerCase() === there.host.toLowerCase() && here.port === there.port;
}

/** The pooler that the configured address of the server itself is known to lead to; null where nothing is known of one. */
export function configuredPooler(database: Database): { place: Address; pooler: Pooler } | null {
  const place = directAddress(database);
  const pooler = poolerByAddress(place.host);
  return pooler && { place, pooler };
}

function targetAt(
  address: Address,
  database: Database,
  limits: ConnectionLimits,
  clients: CredentialsClients,
  applicationName: string,
): ConnectionTarget {
  const credentials = credentialsFor({ ...address, login: database.login }, clients);
  return { ...address, database: database.name, limits: limitsOf(database, limits), applicationName, credentials };
}

/** A database that has paused takes half a minute to resume, and longer after a day. Milliseconds. */
export const RESUME_MS = 60_000;

const limitsOf = ({ allow_pause }: Database, limits: ConnectionLimits): ConnectionLimits =>
  allow_pause ? { ...limits, connect_timeout_ms: Math.max(limits.connect_timeout_ms, RESUME_MS) } : limits;
