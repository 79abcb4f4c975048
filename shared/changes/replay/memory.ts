import type pg from 'pg';
import { REPLAY_SCHEMA } from '../../postgres/own-schema.ts';
import type { Lsn } from '../lsn.ts';

const TABLE = `${REPLAY_SCHEMA}.position`;

/** What a database under construction knows of its own replay, changed in the transactions that make it true. */
export interface ReplayMemory {
  /** All that was committed until here is replayed. */
  position(): Promise<Lsn>;
  rememberPosition(lsn: Lsn): Promise<void>;
  /** Triggers, rules and keys that are to be brought back; null for none yet. */
  silenced(): Promise<string | null>;
  rememberSilenced(silenced: string): Promise<void>;
  drop(): Promise<void>;
}

/**
 * Opens what an earlier attempt has left, or begins.
 *
 * @param client - in a transaction
 * @param from - where a new replay begins
 */
export async function openMemory(client: pg.Client, from: Lsn): Promise<ReplayMemory> {
  const { rows } = await client.query(`SELECT WHERE pg_catalog.to_regclass('${TABLE}') IS NOT NULL`);
  if (rows.length === 0) {
    // Its one row has a key: without one, a publication of all tables that was restored would refuse its updates.
    await client.query(
      `CREATE SCHEMA IF NOT EXISTS ${REPLAY_SCHEMA};
       CREATE TABLE ${TABLE} (id int PRIMARY KEY DEFAULT 1 CHECK (id = 1), lsn pg_lsn NOT NULL, silenced text)`,
    );
    await client.query(`INSERT INTO ${TABLE} (lsn) VALUES ($1)`, [from]);
  }
  return {
    async position() {
      const { rows: found } = await client.query<{ lsn: string }>(`SELECT lsn::text FROM ${TABLE}`);
      return found[0]?.lsn ?? from;
    },
    async rememberPosition(lsn) {
      await client.query(`UPDATE ${TABLE} SET lsn = $1`, [lsn]);
    },
    async silenced() {
      const { rows: found } = await client.query<{ silenced: string | null }>(`SELECT silenced FROM ${TABLE}`);
      return found[0]?.silenced ?? null;
    },
    async rememberSilenced(silenced) {
      await client.query(`UPDATE ${TABLE} SET silenced = $1`, [silenced]);
    },
    async drop() {
      await client.query(`DROP SCHEMA ${REPLAY_SCHEMA} CASCADE`);
    },
  };
}
