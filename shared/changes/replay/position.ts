import type pg from 'pg';
import type { Lsn } from '../lsn.ts';

/** Where a database that changes are replayed into keeps how far it is. Removed with the last of them. */
const SCHEMA = 'dbms_replaying';
const TABLE = `${SCHEMA}.position`;

/** How far an earlier attempt came, or the given beginning; from now on the database keeps it. */
export async function beginPosition(client: pg.Client, from: Lsn): Promise<Lsn> {
  const { rows } = await client.query(`SELECT WHERE pg_catalog.to_regclass('${TABLE}') IS NOT NULL`);
  if (rows.length > 0) {
    const { rows: found } = await client.query<{ lsn: string }>(`SELECT lsn::text FROM ${TABLE}`);
    return found[0]?.lsn ?? from;
  }
  await client.query('BEGIN');
  await client.query(`CREATE SCHEMA ${SCHEMA}; CREATE TABLE ${TABLE} (lsn pg_lsn NOT NULL)`);
  await client.query(`INSERT INTO ${TABLE} VALUES ($1)`, [from]);
  await client.query('COMMIT');
  return from;
}

/** In the transaction of what was done until there. */
export async function savePosition(client: pg.Client, lsn: Lsn): Promise<void> {
  await client.query(`UPDATE ${TABLE} SET lsn = $1`, [lsn]);
}

export async function dropPosition(client: pg.Client): Promise<void> {
  await client.query(`DROP SCHEMA ${SCHEMA} CASCADE`);
}
