import type pg from 'pg';
import { OperationError } from '../../errors.ts';

const hasBabelfishSql = `SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'babelfishpg_tsql') AS has`;

/**
 * A database of Babelfish has catalogs of its own for SQL Server's names, logins and types, which AWS's own dump programs alone restore:
 * "Babelfish: dump and restore" of the Babelfish project.
 *
 * @throws OperationError `server_unsupported`
 */
export async function assertNoBabelfish(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ has: boolean }>(hasBabelfishSql);
  if (!rows[0]?.has) return;
  throw new OperationError(
    'server_unsupported',
    'The database is one of Babelfish (extension babelfishpg_tsql), whose catalogs a restore of this system would not bring back',
    'Use snapshots of the cluster, or BabelfishDump. Other databases of the cluster are backed up as usual.',
  );
}
