import type pg from 'pg';
import * as z from 'zod';
import { compareLsn, type Lsn } from '../lsn.ts';
import { endOfLogSql } from './slot.sql.ts';

const endSchema = z.object({ captured_at: z.string(), lsn: z.string() });

/** How far the log is on disk, and a time before that. */
export type EndOfLog = z.output<typeof endSchema>;

/** Until what was written is on disk, at most. */
const FLUSH_LOOKS = 20;
const BETWEEN_LOOKS_SECONDS = 0.1;

/**
 * Looks up the end of the log. A segment is named by where it begins and ends, so one that says no more than that nothing has happened
 * needs log as well: on an idle server this session has some written. A server that brings it to disk later has log for the next run.
 *
 * @param beyond - the end is to be behind this position; null for wherever it is
 */
export async function readEnd(client: pg.Client, beyond: Lsn | null): Promise<EndOfLog> {
  const read = async () => endSchema.parse((await client.query(endOfLogSql)).rows[0]);
  const end = await read();
  if (beyond === null || compareLsn(end.lsn, beyond) > 0) return end;
  await extendLog(client, FLUSH_LOOKS);
  return read();
}

/**
 * Has the server write something, so that its log goes on though nobody else writes: a transaction that does nothing but take a number.
 * Waits until it is on disk, which nobody waits for by itself.
 *
 * @param looks - how often it is looked for, at most: ten times a second
 */
export async function extendLog(client: pg.Client, looks: number): Promise<void> {
  await client.query('SELECT pg_catalog.pg_current_xact_id()');
  const { rows } = await client.query<{ lsn: string }>('SELECT pg_catalog.pg_current_wal_insert_lsn()::text AS lsn');
  for (let look = 1; look <= looks; look++) {
    const { rows: found } = await client.query<{ is_stored: boolean }>(
      'SELECT pg_catalog.pg_current_wal_flush_lsn() >= $1::pg_lsn AS is_stored',
      [rows[0]?.lsn],
    );
    if (found[0]?.is_stored) return;
    await client.query('SELECT pg_catalog.pg_sleep($1)', [BETWEEN_LOOKS_SECONDS]);
  }
}
