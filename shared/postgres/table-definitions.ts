import type pg from 'pg';
import * as z from 'zod';
import { changedTablesSql, tableDefinitionsSql } from './table-definitions.sql.ts';

const tableDefinitionsSchema = z.object({
  /** Of names, columns, types, defaults, constraints, keys, replica identities and partitions. */
  hash: z.string(),
  /** Every transaction with a lower number, in 64 bits, had ended. */
  xmin: z.string().regex(/^\d+$/),
});

/** What the catalog said of the definitions of all tables. */
export type TableDefinitions = z.output<typeof tableDefinitionsSchema>;

export const definitionsSeenSchema = tableDefinitionsSchema.extend({
  /** A time at which they were so, before anything that is not captured yet was committed; ISO 8601 with microseconds. */
  at: z.string(),
});

/** Definitions of all tables as they were last seen. */
export type DefinitionsSeen = z.output<typeof definitionsSeenSchema>;

export async function readTableDefinitions(client: pg.Client): Promise<TableDefinitions> {
  return tableDefinitionsSchema.parse((await client.query(tableDefinitionsSql)).rows[0]);
}

/** Lower half of a transaction's number, which is what rows of the catalog have. */
const LOWER_BITS = (1n << 32n) - 1n;

/**
 * Names tables whose definitions may have changed since they were seen, qualified and quoted.
 *
 * @param most - how many at most
 */
export async function listChangedTables(
  client: pg.Client,
  { xmin }: Pick<TableDefinitions, 'xmin'>,
  most: number,
): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(changedTablesSql, [String(BigInt(xmin) & LOWER_BITS), most]);
  return rows.map(({ name }) => name);
}
