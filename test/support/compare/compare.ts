import type pg from 'pg';
import type { ScratchDatabase } from '../servers.ts';
import { exactText } from './content.sql.ts';
import { contentDifferences, positionDifferences } from './content.ts';
import { schemaDifferences } from './schema.ts';

/**
 * Compares two databases in everything: definitions, owners, privileges, comments, rows, positions of sequences, large objects.
 *
 * @returns the differences in words; none when the databases are equal
 */
export async function databaseDifferences(first: ScratchDatabase, second: ScratchDatabase): Promise<string[]> {
  return await inTransactions(first, second, async (one, other) => [
    ...(await schemaDifferences({ database: first, client: one }, { database: second, client: other })),
    ...(await contentDifferences(one, other)),
    ...(await positionDifferences(one, other)),
  ]);
}

/** Gives a connection to each database, in a transaction that sees one moment. */
async function inTransactions<Result>(
  first: ScratchDatabase,
  second: ScratchDatabase,
  use: (one: pg.Client, other: pg.Client) => Promise<Result>,
): Promise<Result> {
  const clients: pg.Client[] = [];
  try {
    for (const database of [first, second]) {
      const client = await database.connect();
      clients.push(client);
      await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await client.query(exactText);
    }
    const [one, other] = clients;
    if (!one || !other) throw new Error('Two databases are compared');
    return await use(one, other);
  } finally {
    for (const client of clients) await client.end();
  }
}
