import type pg from 'pg';
import type { ClosedCode } from '../contract/schemas/recovery.ts';
import { isAnswer, isSessionLost } from '../postgres/session-errors.ts';
import type { Recovery } from '../state/recovery.ts';

/** The first eight digits of a segment's name. */
const TIMELINE_SQL = `
SELECT pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8) AS timeline`;

/** The timeline of a server's log, which a standby begins anew when it takes the place of its primary; null where the server does not tell it. */
export async function readTimeline(client: pg.Client): Promise<number | null> {
  try {
    const { rows } = await client.query<{ timeline: string | null }>(TIMELINE_SQL);
    const digits = rows[0]?.timeline ?? '';
    return /^[0-9A-F]{8}$/.test(digits) ? Number.parseInt(digits, 16) : null;
  } catch (error) {
    if (!isAnswer(error) || isSessionLost(error)) throw error;
    return null;
  }
}

/**
 * Judges why a slot is not there. Only one that a failover did not bring along was lost by accident. Otherwise somebody has dropped it, or
 * the server was upgraded or switched over without it: whoever did that may have needed it gone, as for a major upgrade.
 */
export function judgeMissingSlot(
  { timeline: before, slot }: Pick<Recovery, 'timeline' | 'slot'>,
  now: number | null,
): { code: ClosedCode; reason: string } {
  if (before !== null && now !== null && before !== now) {
    return {
      code: 'slot_lost',
      reason: `The replication slot ${slot} is not on the server any more: another server has taken its place (timeline ${now}, not ${before})`,
    };
  }
  return {
    code: 'slot_dropped_by_others',
    reason: `The replication slot ${slot} is not on the server any more: somebody has dropped it, or the server was upgraded or switched over without it`,
  };
}
