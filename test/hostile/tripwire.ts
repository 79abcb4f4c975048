import { type TestServer, withClient } from '../support/servers.ts';

/** Code of the hostile database that ran. */
export interface Trip {
  /** What called it, as the hostile database names it. */
  kind: string;
  session: string;
  current: string;
  /** Whom SET ROLE none made of it; null where the server did not allow it. */
  became: string | null;
  database: string;
}

const SLOT = 'tripwire';

/**
 * Notes who runs it, in a message of the server's log (WAL) that is written at once: neither a READ ONLY transaction nor one that is rolled
 * back hides it, and it is found for databases that are gone. It is written twice, as a page of the log may begin within it.
 */
export const tripSql = (schema: string): string => `
CREATE FUNCTION ${schema}.trip(kind text) RETURNS boolean LANGUAGE plpgsql AS $trip$
DECLARE
  who name := current_user;
  became name;
  place bigint;
BEGIN
  BEGIN
    -- RESET ROLE would go back to what the database has set.
    EXECUTE 'SET ROLE none';
    became := current_user;
    RAISE EXCEPTION 'rolled back';
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  FOR i IN 1..2 LOOP
    PERFORM pg_catalog.pg_logical_emit_message(false, 'tripwire', pg_catalog.concat(
      '<', 'trip|', kind, '|', session_user, '|', who, '|', coalesce(became::text, ''), '|', pg_catalog.current_database(), '>'));
  END LOOP;
  RETURN true;
END $trip$;`;

/** Makes the server keep its log from now on. */
export async function openTripwire(server: TestServer): Promise<void> {
  await withClient(server, 'postgres', (client) =>
    client.query(`SELECT pg_create_physical_replication_slot('${SLOT}', true)`),
  );
}

export async function closeTripwire(server: TestServer): Promise<void> {
  await withClient(server, 'postgres', (client) =>
    client.query(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '${SLOT}'`),
  );
}

/** What ran while `work` did. */
export async function tripsDuring(server: TestServer, work: () => Promise<unknown>): Promise<Trip[]> {
  const from = await position(server);
  await work();
  return withClient(server, 'postgres', async (client) => {
    // To the end of the file, as a file may be a former one whose end still holds what was in that.
    const to = await position(server);
    await client.query('SELECT pg_switch_wal()');
    const { rows: files } = await client.query<{ name: string }>(
      'SELECT pg_walfile_name(lsn) AS name FROM unnest($1::pg_lsn[]) WITH ORDINALITY AS given(lsn, n) ORDER BY n',
      [segmentsBetween(from, to, await segmentBytes(client))],
    );
    const trips = new Map<string, Trip>();
    for (const [index, { name }] of files.entries()) {
      const { rows } = await client.query<{ bytes: Buffer | null }>(
        `SELECT pg_read_binary_file('pg_wal/${name}', $1, 67108864, true) AS bytes`,
        [index === 0 ? await offsetOf(from, client) : 0],
      );
      const text = rows[0]?.bytes?.toString('latin1') ?? '';
      for (const [, kind = '', session = '', current = '', became = '', database = ''] of text.matchAll(WHOLE)) {
        const trip = { kind, session, current, became: became === '' ? null : became, database };
        trips.set(JSON.stringify(trip), trip);
      }
    }
    return [...trips.values()];
  });
}

/** One that no page begins within: the header of a page is no printable text. */
const FIELD = '([\\x20-;=?-{}~]*)';
const WHOLE = new RegExp(`<trip${`\\|${FIELD}`.repeat(5)}>`, 'g');

async function position(server: TestServer): Promise<string> {
  return withClient(server, 'postgres', async (client) => {
    const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
    return rows[0]?.lsn ?? '';
  });
}

/** Positions in each file of the log from one position to another. Versions before 14 do not add to a position. */
function segmentsBetween(from: string, to: string, bytes: bigint): string[] {
  const numberOf = (lsn: string): bigint => {
    const [high = '0', low = '0'] = lsn.split('/');
    return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
  };
  const positions: string[] = [];
  for (let at = numberOf(from); at <= numberOf(to); at = (at / bytes + 1n) * bytes) {
    // One at the very beginning of a file would be counted to the file before.
    const within = at + 1n;
    positions.push(`${(within >> 32n).toString(16)}/${(within & 0xffffffffn).toString(16)}`);
  }
  return positions;
}

async function segmentBytes(client: Client): Promise<bigint> {
  const { rows } = await client.query<{ bytes: string }>(
    "SELECT setting AS bytes FROM pg_settings WHERE name = 'wal_segment_size'",
  );
  return BigInt(rows[0]?.bytes ?? 0);
}

type Client = Parameters<Parameters<typeof withClient>[2]>[0];

async function offsetOf(lsn: string, client: Client): Promise<number> {
  const { rows } = await client.query<{ at: number }>(
    'SELECT file_offset AS at FROM pg_walfile_name_offset($1::pg_lsn)',
    [lsn],
  );
  return rows[0]?.at ?? 0;
}

/** Whether it ran with the rights of a login, or could have taken them. */
export const ranAs = (login: string, { current, became }: Trip): boolean => current === login || became === login;
