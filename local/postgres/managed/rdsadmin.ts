import pg from 'pg';
import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import { rdsadmin } from './profile.ts';

/** The sessions that AWS has on each of its servers. */
export type RdsadminSessions = {
  beat(): Promise<void>;
  settle(): Promise<void>;
  logicalSlots(): Promise<{ name: string; database: string; isConsumed: boolean }[]>;
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

const slotsSql =
  'SELECT slot_name AS name, database, active FROM pg_catalog.pg_replication_slots WHERE database IS NOT NULL ORDER BY 1';

/** Looks for a change of a row in what a slot of test_decoding still has to give; transactions without any do not count. */
const unconsumedSql = "SELECT 1 FROM pg_catalog.pg_logical_slot_peek_changes($1, NULL, 1, 'skip-empty-xacts', '1')";

/**
 * Opens rdsadmin's two sessions in its database: one rests, the other writes its heartbeat and begins a new segment of the log, as
 * `archive_timeout` makes of it on RDS, and lets the members of rds_replication replicate.
 *
 * @param options - `heartbeatMs`: null: only when asked to; `isReader`: whether the server can write nothing
 */
export async function openRdsadmin(
  login: { host: string; port: number; user: string; password: string },
  { heartbeatMs, isReader }: { heartbeatMs: number | null; isReader: boolean },
): Promise<RdsadminSessions> {
  const open = async (database = rdsadmin): Promise<pg.Client> => {
    const client = new pg.Client({ ...login, database, application_name: '' });
    // A server that ends says so to each session; whoever waits for the server hears of it elsewhere.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const [resting, working] = [await open(), await open()];
  const beat = async (): Promise<void> => {
    if (isReader) return;
    await working.query(heartbeatSql);
    await working.query('SELECT pg_catalog.pg_switch_wal()');
  };
  const settle = async (): Promise<void> => {
    if (isReader) return;
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
    async logicalSlots() {
      const { rows } = await working.query<{ name: string; database: string; active: boolean }>(slotsSql);
      const slots = [];
      for (const { name, database, active } of rows) {
        // A slot that is being read cannot be looked into.
        if (active) {
          slots.push({ name, database, isConsumed: false });
          continue;
        }
        const client = await open(database);
        const { rows: left } = await client.query(unconsumedSql, [name]).finally(() => client.end());
        slots.push({ name, database, isConsumed: left.length === 0 });
      }
      return slots;
    },
    async reload() {
      await working.query('SELECT pg_catalog.pg_reload_conf()');
    },
    async close() {
      for (const timer of timers) clearInterval(timer);
      for (const client of [resting, working]) await client.end().catch(unheard);
    },
  };
}
