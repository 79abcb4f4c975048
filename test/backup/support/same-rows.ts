import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import { type TestServer, withClient } from '../../support/servers.ts';

/** A hash of all rows of some tables of a database, whatever their order: quicker than comparing everything. */
export function rowsOf(server: TestServer, database: string, tables: readonly string[]): Promise<string[]> {
  return withClient(server, database, async (client) => {
    const hashes: string[] = [];
    for (const table of tables) {
      const sql = `SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) AS rows FROM ${quoteIdentifier(table)} t`;
      hashes.push((await client.query<{ rows: string }>(sql)).rows[0]?.rows ?? '');
    }
    return hashes;
  });
}
