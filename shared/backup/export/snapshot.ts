import type pg from 'pg';
import * as z from 'zod';
import { type ConnectionTarget, connect } from '../../postgres/connect.ts';
import { quoteLiteral, quoteQualified } from '../../postgres/identifiers.ts';
import { readLogPositionWithin } from '../../postgres/log-position.ts';
import type { PlannedTable } from '../plan/plan.ts';
import { snapshotSql } from '../plan/relations.sql.ts';
import { changedTablesSql } from './changed-tables.sql.ts';
import { tableChanged, UNDEFINED_SCHEMA, UNDEFINED_TABLE } from './explain-failure.ts';
import type { SnapshotFacts } from './prepare.ts';

const snapshotRowSchema = z.object({
  snapshot_id: z.string(),
  transactions: z.string(),
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

const openExportSession = (target: ConnectionTarget): Promise<pg.Client> => connect(target, { kind: 'exporting' });

/** Begins a read-only transaction and exports its snapshot. The caller ends `holder`. */
export async function takeSnapshot(target: ConnectionTarget): Promise<Snapshot> {
  const holder = await openExportSession(target);
  try {
    await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const { rows } = await holder.query(snapshotSql);
    const row = snapshotRowSchema.parse(rows[0]);
    // After the snapshot, which it is only a note on: a server that does not tell it is backed up all the same.
    const { lsn, reason } = await readLogPositionWithin(holder);
    return {
      id: row.snapshot_id,
      facts: {
        transactions: row.transactions,
        lsn,
        ...(reason === null ? {} : { lsnUnknown: reason }),
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
export async function joinSnapshot(target: ConnectionTarget, snapshotId: string): Promise<pg.Client> {
  const client = await openExportSession(target);
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshotId)}`);
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

/** Opens a session that sees what another holder sees, and exports it again. The caller ends `holder`. */
export async function relaySnapshot(target: ConnectionTarget, snapshotId: string): Promise<Omit<Snapshot, 'facts'>> {
  const holder = await openExportSession(target);
  try {
    await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await holder.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshotId)}`);
    const { rows } = await holder.query<{ id: string }>('SELECT pg_catalog.pg_export_snapshot() AS id');
    return { id: rows[0]?.id ?? '', holder };
  } catch (error) {
    await holder.end().catch(() => undefined);
    throw error;
  }
}

/** SQLSTATEs for an unknown snapshot (before and since PostgreSQL 18), and for one whose transaction has just ended. */
const SNAPSHOT_GONE = new Set(['22023', '42704', '55000']);

/** Whether the server knows no such snapshot: the session that exported it has ended. */
export function isSnapshotGone(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return SNAPSHOT_GONE.has(code ?? '') && /snapshot/.test(message ?? '');
}

/** One LOCK statement takes several tables, so that a database of many needs few round trips. */
const LOCK_BATCH = 500;

/**
 * Keeps the tables from being dropped or altered while the backup runs. ACCESS SHARE is the lock of a plain SELECT: it never
 * blocks a reader or a writer.
 *
 * @param holder - in the snapshot that the tables were listed in
 * @throws OperationError `table_changed` when one was dropped, replaced, truncated or rewritten since the snapshot; the server's
 *   error when another session holds one longer than the lock time-out
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
      if (code === UNDEFINED_TABLE || code === UNDEFINED_SCHEMA) throw tableChanged(message, error);
      throw error;
    }
  }
  await assertUnchanged(holder, tables);
}

/**
 * Makes sure that what the snapshot saw of the tables is there to be read: between the snapshot and its locks, or when a holder of
 * them was lost, somebody may have truncated or altered one.
 *
 * @param client - a session in the snapshot
 * @throws OperationError `table_changed`
 */
export async function assertUnchanged(client: pg.Client, tables: readonly { oid: number }[]): Promise<void> {
  const { rows } = await client.query<{ schema: string; name: string }>(changedTablesSql, [
    tables.map(({ oid }) => oid),
  ]);
  if (rows.length === 0) return;
  const names = rows.map(({ schema, name }) => quoteQualified(schema, name));
  throw tableChanged(`dropped, truncated, rewritten or replaced: ${names.join(', ')}`);
}
