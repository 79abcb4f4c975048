import type { ConnectionTarget } from '../../shared/postgres/connect.ts';
import type { DatabaseAddress } from './settings.ts';

/** An address as something that the functions' own code connects to. @param milliseconds - for the connection, and for each statement */
export function targetOf(address: DatabaseAddress, milliseconds: number, applicationName: string): ConnectionTarget {
  const { host, port, database, user, password, certificate, tls } = address;
  const limits = {
    pool_size: 1,
    pool_overflow: 0,
    pool_timeout_seconds: 1,
    pool_recycle_seconds: 1,
    connect_timeout_ms: milliseconds,
    statement_timeout_ms: milliseconds,
    lock_timeout_ms: milliseconds,
    idle_in_transaction_timeout_ms: 60_000,
  };
  const credentials = async () => ({ user, password, ...(certificate ? { certificate } : {}) });
  return { host, port, database, tls, limits, credentials, applicationName };
}
