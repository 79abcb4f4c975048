import pg from 'pg';
import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import { rdsadmin } from './profile.ts';

/** The sessions that AWS has on each of its servers. */
export type RdsadminSessions = {
  beat(): Promise<void>;
  settle(): Promise<void>;
  reload(): Promise<void>;
  close(): Promise<void>;
};

const SETTLE_MS = 1_000;

const heartbeatSql = `UPDATE public.rds_heartbeat2 SET value = (extract(epoch FROM now()) * 1000)::bigint WHERE id = 1`;

/** Who replicates on RDS by a role, for which a server of one's own asks for the attribute; and who no longer does. */
const membersSql = `
SELECT rolname AS name, pg_catalog.pg_has_role(oid, 'rds_replication', 'MEMBER') AS is_member
  FROM pg_catalog.pg_authid
 WHERE rolcanlogin AND NOT rolsuper AND rolreplication <> pg_catalog.pg_has_role(oid, 'rds_replication', 'MEMBER')`;

/**
 * Opens rdsadmin's two sessions in its database: one rests, the other writes its heartbeat and begins a new segment of the log, as
 * `archive_timeout` makes of it on RDS, and lets the members of rds_replication replicate.
 *
 * @param heartbeatMs - null: only when asked to
 */
export async function openRdsadmin(
  login: { host: string; port: number; user: string; password: string },
  heartbeatMs: number | null,
): Promise<RdsadminSessions> {
  const open = async (): Promise<pg.Client> => {
    const client = new pg.Client({ ...login, database: rdsadmin, application_name: '' });
    // A server that ends says so to each session; whoever waits for the server hears of it elsewhere.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const [resting, working] = [await open(), await open()];
  const beat = async (): Promise<void> => {
    await working.query(heartbeatSql);
    await working.query('SELECT pg_catalog.pg_switch_wal()');
  };
  const settle = async (): Promise<void> => {
    const { rows } = await working.query<{ name: string; is_member: boolean }>(membersSql);
    for (const { name, is_member } of rows)
      await working.query(`ALTER ROLE ${quoteIdentifier(name)} ${is_member ? '' : 'NO'}REPLICATION`);
  };
  await settle();
  const unheard = () => undefined;
  const timers = [setInterval(() => void settle().catch(unheard), SETTLE_MS)];
  if (heartbeatMs !== null) timers.push(setInterval(() => void beat().catch(unheard), heartbeatMs));
  for (const timer of timers) timer.unref();
  return {
    beat,
    settle,
    async reload() {
      await working.query('SELECT pg_catalog.pg_reload_conf()');
    },
    async close() {
      for (const timer of timers) clearInterval(timer);
      for (const client of [resting, working]) await client.end().catch(unheard);
    },
  };
}
