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
  const one = await beginComparison(first);
  const other = await beginComparison(second);
  try {
    return [
      ...(await schemaDifferences({ database: first, client: one }, { database: second, client: other })),
      ...(await contentDifferences(one, other)),
      ...(await positionDifferences(one, other)),
    ];
  } finally {
    await one.end();
    await other.end();
  }
}

/** A connection in a transaction that sees one moment, with values' texts as the comparison needs them. The caller ends it. */
export async function beginComparison(database: ScratchDatabase): Promise<pg.Client> {
  const client = await database.connect();
  await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query(exactText);
  return client;
}
