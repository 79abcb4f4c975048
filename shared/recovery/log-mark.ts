import type { ConnectionTarget } from '../postgres/connect.ts';
import { withConnection } from '../postgres/with-connection.ts';

const TIMEOUT_MS = 10_000;
const LOOKS = 50;
const BETWEEN_LOOKS_SECONDS = 0.1;

/**
 * Has the server write something, so that its log goes on though nobody else writes: a transaction that does nothing but take a number.
 * Waits some seconds until it is on disk, which nobody waits for by itself.
 *
 * @throws OperationError of the connection
 */
export async function markLog(target: ConnectionTarget): Promise<void> {
  await withConnection(target, { statementTimeoutMs: TIMEOUT_MS }, async (client) => {
    await client.query('SELECT pg_catalog.pg_current_xact_id()');
    const { rows } = await client.query<{ lsn: string }>('SELECT pg_catalog.pg_current_wal_insert_lsn()::text AS lsn');
    for (let look = 1; look <= LOOKS; look++) {
      const { rows: found } = await client.query<{ is_stored: boolean }>(
        'SELECT pg_catalog.pg_current_wal_flush_lsn() >= $1::pg_lsn AS is_stored',
        [rows[0]?.lsn],
      );
      if (found[0]?.is_stored) return;
      await client.query('SELECT pg_catalog.pg_sleep($1)', [BETWEEN_LOOKS_SECONDS]);
    }
  });
}
