import type pg from 'pg';
import * as z from 'zod';
import { logPositionSql } from './log-position.sql.ts';
import { isAnswer, isSessionLost } from './session-errors.ts';

/** A position in the server's log, or why the server does not tell it. */
export interface LogPosition {
  lsn: string | null;
  /** null where the position is known. */
  reason: string | null;
}

const rowSchema = z.object({ lsn: z.string().nullable(), reason: z.string().nullable() });

/**
 * Reads how far the server's log is. Managed servers refuse the functions that tell it in some of their states.
 *
 * @throws Error when the session is lost, or a transaction that it is in has failed already
 */
export async function readLogPosition(client: pg.Client): Promise<LogPosition> {
  try {
    const { lsn, reason } = rowSchema.parse((await client.query(logPositionSql)).rows[0]);
    return { lsn, reason: lsn === null ? (reason ?? 'The server tells no position') : null };
  } catch (error) {
    if (!isAnswer(error) || isSessionLost(error) || codeOf(error) === IN_FAILED_TRANSACTION) throw error;
    return {
      lsn: null,
      reason: `The server tells no position (SQLSTATE ${codeOf(error)}): ${(error as Error).message}`,
    };
  }
}

/** The same within a transaction, which goes on when the server refuses to answer. */
export async function readLogPositionWithin(client: pg.Client): Promise<LogPosition> {
  await client.query('SAVEPOINT position');
  const position = await readLogPosition(client);
  await client.query('ROLLBACK TO SAVEPOINT position; RELEASE SAVEPOINT position');
  return position;
}

const IN_FAILED_TRANSACTION = '25P02';
const codeOf = (error: unknown): string | undefined => (error as { code?: string }).code;
