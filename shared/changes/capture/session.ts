import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { OperationError } from '../../errors.ts';
import { type ConnectionOverrides, type ConnectionTarget, connect } from '../../postgres/connect.ts';
import type { Lsn } from '../lsn.ts';
import { slotSql } from './slot.sql.ts';

/**
 * Opens a session in which decoded values have exact texts. A server that has lost its client must not go on with decoding, as
 * nobody else could use the slot meanwhile; versions before 14 notice it only when they send. A session may rest for as long as changes
 * are streamed over another.
 */
export async function openCaptureSession(
  target: ConnectionTarget,
  overrides: Pick<ConnectionOverrides, 'replication'> = {},
): Promise<pg.Client> {
  return connect(target, { ...overrides, kind: 'capturing' });
}

export interface SlotFacts {
  /** Commits before it are stored. */
  position: Lsn;
  serverVersion: number;
  encoding: string;
  /** The next transaction number to be given, in 64 bits. */
  nextXid: string;
}

/**
 * Looks the slot up.
 *
 * @throws OperationError `slot_missing`, or `slot_lost` when the server has thrown away log that the slot needs
 */
export async function readSlot(client: pg.Client, slot: string): Promise<SlotFacts> {
  const { rows } = await client.query<{
    position: string | null;
    wal_status: string | null;
    server_version: number;
    encoding: string;
    next_xid: string;
  }>(slotSql, [slot]);
  const row = rows[0];
  if (!row) {
    throw new OperationError(
      'slot_missing',
      `The replication slot ${slot} is not on the server`,
      'Turn point-in-time recovery on again; it begins with a new full backup.',
    );
  }
  if (row.wal_status === 'lost' || row.position === null) {
    throw new OperationError(
      'slot_lost',
      `The server has removed log that the replication slot ${slot} needs`,
      'Turn point-in-time recovery on again, and raise max_slot_wal_keep_size if this happens more than once.',
    );
  }
  return { position: row.position, serverVersion: row.server_version, encoding: row.encoding, nextXid: row.next_xid };
}

/** Class of the advisory locks, so that they meet no application's: "dbms" in ASCII. */
const LOCK_CLASS = 0x64_62_6d_73;

/** Takes the right to read the slot for as long as the session lasts. Answers whether it was free. */
export async function lockSlot(client: pg.Client, slot: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    'SELECT pg_catalog.pg_try_advisory_lock($1, pg_catalog.hashtext($2)) AS locked',
    [LOCK_CLASS, slot],
  );
  return rows[0]?.locked === true;
}

/** Moves the slot: the server may remove what is before. It never moves back. */
export async function advanceSlot(client: pg.Client, slot: string, lsn: Lsn): Promise<void> {
  await client.query('SELECT pg_catalog.pg_replication_slot_advance($1, $2::pg_lsn)', [slot, lsn]);
}

/** How often, and with what pause in milliseconds, a slot is looked at that another session was about to leave. */
const LEAVING = { looks: 100, pauseMs: 50 } as const;

/** Waits until no session reads the slot, but not for ever: who moves it then is told that it is in use. */
export async function untilSlotIsFree(client: pg.Client, slot: string): Promise<void> {
  for (let look = 0; look < LEAVING.looks; look += 1) {
    const { rows } = await client.query<{ active: boolean }>(slotSql, [slot]);
    if (!rows[0]?.active) return;
    await setTimeout(LEAVING.pauseMs);
  }
}
