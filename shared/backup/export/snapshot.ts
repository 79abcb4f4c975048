import type pg from 'pg';
import { z } from 'zod';
import { OperationError } from '../../errors.ts';
import { type ConnectionTarget, connect } from '../../postgres/connect.ts';
import { quoteLiteral, quoteQualified } from '../../postgres/identifiers.ts';
import type { PlannedTable } from '../plan/plan.ts';
import { snapshotSql } from '../plan/relations.sql.ts';
import type { SnapshotFacts } from './prepare.ts';

/**
 * Settings under which every value's text is exact and means the same on any server; pg_dump sets the same ones.
 * An export may run for hours, so no statement time-out; the job's own limit ends it.
 */
export const EXPORT_SETTINGS = `
SELECT pg_catalog.set_config('search_path', '', false);
SET datestyle = ISO;
SET intervalstyle = postgres;
SET extra_float_digits = 3;
SET lc_monetary = 'C';
SET bytea_output = hex;
SET xmlbinary = base64;
SET synchronize_seqscans = off;
SET row_security = off;
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0`;

const snapshotRowSchema = z.object({
  snapshot_id: z.string(),
  transactions: z.string(),
  lsn: z.string().nullable(),
  taken_at: z.string(),
  server_version: z.number(),
  block_size: z.number(),
});

export interface Snapshot {
  id: string;
  facts: SnapshotFacts;
  /** The session that keeps the snapshot; ending it ends the snapshot. */
  holder: pg.Client;
}

/**
 * Opens a session that writes text in the database's own encoding, as COPY must: values that are not valid in another
 * encoding could not be read otherwise.
 */
async function openExportSession(target: ConnectionTarget): Promise<pg.Client> {
  const client = await connect(target, { statementTimeoutMs: 0, idleInTransactionTimeoutMs: 0 });
  await client.query(EXPORT_SETTINGS);
  return client;
}

/** Begins a read-only transaction and exports its snapshot. The caller ends `holder`. */
export async function takeSnapshot(target: ConnectionTarget): Promise<Snapshot> {
  const holder = await openExportSession(target);
  try {
    await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const { rows } = await holder.query(snapshotSql);
    const row = snapshotRowSchema.parse(rows[0]);
    return {
      id: row.snapshot_id,
      facts: {
        transactions: row.transactions,
        lsn: row.lsn,
        takenAt: row.taken_at,
        serverVersion: row.server_version,
        blockSize: row.block_size,
      },
      holder,
    };
  } catch (error) {
    await holder.end().catch(() => undefined);
    throw error;
  }
}

/** Opens a session that sees exactly what the snapshot's holder sees, for COPY. */
export async function joinSnapshot(target: ConnectionTarget, snapshotId: string, encoding: string): Promise<pg.Client> {
  const client = await openExportSession(target);
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshotId)}`);
    await client.query(`SET client_encoding = ${quoteLiteral(encoding)}`);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

/** One LOCK statement takes several tables, so that a database of many needs few round trips. */
const LOCK_BATCH = 500;

/**
 * Keeps the tables from being dropped or altered while the backup runs. ACCESS SHARE is the lock of a plain SELECT: it never
 * blocks a reader or a writer.
 *
 * @throws OperationError `table_changed` when one was dropped since the snapshot; the server's error when another session holds one
 *   longer than the lock time-out
 */
export async function lockTables(holder: pg.Client, tables: readonly PlannedTable[]): Promise<void> {
  for (let start = 0; start < tables.length; start += LOCK_BATCH) {
    const names = tables
      .slice(start, start + LOCK_BATCH)
      .map(({ schema, name }) => `ONLY ${quoteQualified(schema, name)}`);
    try {
      await holder.query(`LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE`);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === '42P01') {
        throw new OperationError(
          'table_changed',
          `A table was dropped while the backup began: ${message}`,
          'Try again.',
          {
            cause: error,
          },
        );
      }
      throw error;
    }
  }
}
