import { type TestServer, withClient } from '../../support/servers.ts';

/** Asks as superuser. */
export const ask = <Row>(server: TestServer, database: string, sql: string): Promise<Row[]> =>
  withClient(server, database, async (client) => (await client.query(sql)).rows as Row[]);

/** Names of the databases that restores have begun and not finished. */
export async function unfinishedOf(server: TestServer): Promise<string[]> {
  const sql =
    'SELECT datname AS name FROM pg_database WHERE datname LIKE \'dbms\\_restoring\\_%\' ORDER BY datname COLLATE "C"';
  return (await ask<{ name: string }>(server, 'postgres', sql)).map(({ name }) => name);
}
