import { type ConnectionTarget, connect, poolerOf } from '../postgres/connect.ts';
import { type Pooler, poolerByAddress } from '../postgres/pooler.ts';
import { type FactsOptions, type Readings, readSection, sectionNames } from './facts/facts.ts';

/** The longest time of one query on the server, in milliseconds. */
const QUERY_MS = 5000;
const LOCK_MS = 1000;
/** What the client itself waits for an answer, so that a server that says nothing holds up nobody. */
const ANSWER_MS = 2 * QUERY_MS;

/** Roles whose rights the checks look at. */
const ROLES = [
  'pg_monitor',
  'pg_read_all_stats',
  'pg_read_all_settings',
  'pg_stat_scan_tables',
  'pg_signal_backend',
  'pg_read_all_data',
  'rds_superuser',
  'rds_replication',
  'rds_password',
];

export interface ReadFacts {
  readings: Readings;
  pooler: Pooler | null;
}

/**
 * Reads what the server is and what the login may do there, in a read-only session. What cannot be read says why.
 *
 * @param signal - ends the reading: what was not read by then is unknown
 * @throws OperationError as `connect`
 */
export async function readFacts(
  target: ConnectionTarget,
  { administrators }: Pick<FactsOptions, 'administrators'>,
  signal: AbortSignal,
): Promise<ReadFacts> {
  const client = await connect(target, {
    kind: 'catalog',
    statementTimeoutMs: QUERY_MS,
    lockTimeoutMs: LOCK_MS,
    queryTimeoutMs: ANSWER_MS,
  });
  const stop = (): void => void client.end().catch(() => undefined);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const readings: Partial<Readings> = {};
    for (const name of sectionNames) {
      try {
        signal.throwIfAborted();
        const options = { administrators, roles: ROLES, version: versionIn(readings) };
        Object.assign(readings, { [name]: { value: await readSection(client, name, options) } });
      } catch (error) {
        readings[name] = { why: signal.aborted ? 'There was no time left to read it' : (error as Error).message };
      }
    }
    return { readings: readings as Readings, pooler: poolerOf(client) ?? poolerByAddress(target.host) };
  } finally {
    signal.removeEventListener('abort', stop);
    await client.end().catch(() => undefined);
  }
}

function versionIn({ server }: Partial<Readings>): number | null {
  return server && 'value' in server ? server.value.version : null;
}
