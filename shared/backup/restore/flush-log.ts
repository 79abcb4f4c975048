import type pg from 'pg';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { openRestoreSession } from './session.ts';

/**
 * For about 0.2 s: an empty message in the log, committed, every 5 ms, so that the log is on disk up to there; on this server's
 * own disk alone. The loop is in the server, as the client is busy with rows, and short, as nothing else ends it.
 */
const FLUSH_FOR_A_WHILE = `
DO $$
BEGIN
  FOR i IN 1..40 LOOP
    PERFORM pg_catalog.pg_logical_emit_message(true, '', '');
    COMMIT;
    PERFORM pg_catalog.pg_sleep(0.005);
  END LOOP;
END $$`;

export interface LogFlushing {
  /** Ends it soon; without a wait. */
  stop(): void;
  /** Resolves when its session is closed; never rejects. */
  ended: Promise<void>;
}

/**
 * Has a session of its own make the server write its log (WAL) to disk all the time while rows are loaded. A COPY writes pages
 * through a small ring of buffers, and a page may leave it only when its log is on disk: sessions that load would stand still for
 * each such flush, as the server's WAL writer awakes but every 200 ms.
 *
 * It is a help and no need: where the session cannot be had, or is lost, the loading sessions flush for themselves.
 */
export function flushLog(target: ConnectionTarget, database: string): LogFlushing {
  let stopped = false;
  const flush = async (): Promise<void> => {
    let client: pg.Client | undefined;
    try {
      client = await openRestoreSession(target, database, 'UTF8');
      await client.query('SET synchronous_commit = local');
      while (!stopped) await client.query(FLUSH_FOR_A_WHILE);
    } catch {
      // Not allowed, refused or lost.
    } finally {
      await client?.end().catch(() => undefined);
    }
  };
  return {
    stop() {
      stopped = true;
    },
    ended: flush(),
  };
}
