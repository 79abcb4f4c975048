import type pg from 'pg';
import * as z from 'zod';
import { isAnswer, isSessionLost } from '../../postgres/session-errors.ts';
import { dropSlot } from '../setup/slot.ts';
import { type GuardDecision, type GuardLimits, guardSlot, type SlotHealth } from './decide.ts';
import { slotHealthSql, slotStateSql } from './slot-health.sql.ts';

const healthSchema = z.object({
  wal_status: z.enum(['reserved', 'extended', 'unreserved', 'lost']).nullable(),
  safe_bytes: z.number().nullable(),
  retained_bytes: z.number().nullable(),
  behind_bytes: z.number().nullable(),
});

export interface ReadHealth extends SlotHealth {
  /** Log since the slot's position: what the next run has to decode; null where the server does not tell it. */
  behindBytes: number | null;
}

/**
 * Reads a slot's state. One that the server has given up may have no state at all. How much log is kept is unknown where the server
 * does not tell how far its log is: a standby does not, nor does Aurora without logical replication.
 */
export async function readSlotHealth(client: pg.Client, slot: string): Promise<ReadHealth> {
  const { rows } = await client.query(slotHealthSql, [slot]).catch((error: unknown) => {
    if (!isAnswer(error) || isSessionLost(error)) throw error;
    return client.query(slotStateSql, [slot]);
  });
  if (rows.length === 0) return { walStatus: null, retainedBytes: 0, safeBytes: null, behindBytes: 0 };
  const row = healthSchema.parse(rows[0]);
  return {
    walStatus: row.wal_status ?? 'lost',
    retainedBytes: row.retained_bytes,
    safeBytes: row.safe_bytes,
    behindBytes: row.behind_bytes,
  };
}

/** Drops the slot when the log that is kept for it is more than the limit. */
export async function enforceGuard(
  client: pg.Client,
  slot: string,
  limits: GuardLimits,
): Promise<GuardDecision & { health: ReadHealth }> {
  const health = await readSlotHealth(client, slot);
  const decision = guardSlot(health, limits);
  if (decision.action === 'drop') await dropSlot(client, slot);
  return { ...decision, health };
}
