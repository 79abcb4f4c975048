import type pg from 'pg';
import type { ConnectionTarget } from '../../../shared/postgres/connect.ts';
import { quoteLiteral } from '../../../shared/postgres/identifiers.ts';
import type { ScratchDatabase } from '../../support/servers.ts';

export interface SnapshotWitness {
  /** For the backup to be watched. */
  target: ConnectionTarget;
  /** A session in a transaction that sees what the backup saw, also after its end; once the backup has read something. */
  client(): pg.Client;
}

/**
 * Watches a backup: when it opens its second connection, it has exported its snapshot and read no row yet. Then a session of the
 * test's own joins that snapshot, and `meanwhile` is done before the backup goes on. No other snapshot may be exported in the
 * database.
 */
export function witnessSnapshot(source: ScratchDatabase, meanwhile: () => Promise<void>): SnapshotWitness {
  const target = source.target();
  let connections = 0;
  let client: pg.Client | undefined;
  let joined: Promise<void> | undefined;
  return {
    target: {
      ...target,
      credentials: async (options) => {
        connections += 1;
        if (connections > 1) {
          joined ??= joinSnapshot(source).then(async (found) => {
            client = found;
            await meanwhile();
          });
          await joined;
        }
        return await target.credentials(options);
      },
    },
    client() {
      if (!client) throw new Error('The backup exported no snapshot');
      return client;
    },
  };
}

async function joinSnapshot(source: ScratchDatabase): Promise<pg.Client> {
  const client = await source.connect();
  const { rows } = await client.query<{ id: string }>(`SELECT pg_ls_dir('pg_snapshots') AS id`);
  for (const { id } of rows) {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    try {
      await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(id)}`);
      return client;
    } catch {
      // Of another database.
      await client.query('ROLLBACK');
    }
  }
  throw new Error('No snapshot is exported in this database');
}
