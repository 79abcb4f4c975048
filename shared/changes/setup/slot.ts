import type pg from 'pg';
import * as z from 'zod';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { readCatalog } from '../../postgres/definitions/catalog-seen.ts';
import { readTableDefinitions } from '../../postgres/table-definitions.ts';
import { nextXidSql } from '../capture/slot.sql.ts';
import type { SlotRecord } from '../segments/description.ts';
import { CHANGES_FORMAT } from '../segments/layout.ts';
import { writeSlotRecord } from '../segments/stored-segments.ts';
import { readNewSigning } from './definition-triggers.ts';

/**
 * The name of a new slot. Each has one of its own, so that changes of one that was lost are never taken for another's; later
 * names sort after earlier ones.
 *
 * @param id - a ULID
 */
export function slotName(database: string, id: string): string {
  return slotPrefix(database) + id.toLowerCase();
}

/** What the names of a database's slots begin with; they have at most 63 characters, 26 of them the id's. */
export function slotPrefix(database: string): string {
  return `dbms_${database.replaceAll('-', '_').slice(0, 30)}_`;
}

const createdSchema = z.object({ lsn: z.string(), created_at: z.string(), server_version: z.int() });

/** From 17 on a slot may be kept on standby servers too, so that it outlives a failover. */
const FAILOVER_SINCE = 170_000;

/**
 * Makes the slot and stores its record. It waits until every transaction that is running has ended, as decoding can begin then only.
 *
 * @param client - of the database, not in a transaction
 */
export async function createSlot(
  client: pg.Client,
  store: ObjectStore,
  { database, slot, followsDefinitions }: { database: string; slot: string; followsDefinitions: boolean },
  signal: AbortSignal,
): Promise<SlotRecord> {
  const { rows: settings } = await client.query(
    `SELECT pg_catalog.current_setting('server_version_num')::int AS version`,
  );
  const failover = Number(settings[0]?.version) >= FAILOVER_SINCE ? ', failover => true' : '';
  const { rows } = await client.query(
    `SELECT lsn::text, pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at,
            pg_catalog.current_setting('server_version_num')::int AS server_version
       FROM pg_catalog.pg_create_logical_replication_slot($1, 'test_decoding'${failover})`,
    [slot],
  );
  try {
    const { lsn, created_at, server_version } = createdSchema.parse(rows[0]);
    const record: SlotRecord = {
      format: CHANGES_FORMAT,
      database,
      slot,
      created_at,
      lsn,
      // Before the number, so that no base has seen less than they say.
      definitions: followsDefinitions ? null : { ...(await readTableDefinitions(client)), at: created_at },
      catalog: followsDefinitions ? { ...(await readCatalog(client, null)), at: created_at, lsn } : null,
      next_xid: String((await client.query(nextXidSql)).rows[0]?.next_xid),
      follows_definitions: followsDefinitions,
      signing: followsDefinitions ? await readNewSigning(client) : null,
      untold: null,
      server_version,
    };
    await writeSlotRecord(store, record, signal);
    return record;
  } catch (error) {
    await dropSlot(client, slot);
    throw error;
  }
}

/** Drops the slot if it is there. One that is in use is freed first: its reader loses nothing that is stored. */
export async function dropSlot(client: pg.Client, slot: string): Promise<void> {
  await client.query(
    `SELECT pg_catalog.pg_terminate_backend(active_pid) FROM pg_catalog.pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL`,
    [slot],
  );
  for (let attempt = 0; ; attempt += 1) {
    try {
      await client.query(
        'SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_name = $1',
        [slot],
      );
      return;
    } catch (error) {
      // object_in_use: the terminated session is on its way out.
      if ((error as { code?: string }).code !== '55006' || attempt >= 50) throw error;
      await client.query('SELECT pg_catalog.pg_sleep(0.1)');
    }
  }
}
