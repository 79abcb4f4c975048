import { quoteIdentifier } from '../../postgres/identifiers.ts';

const HASHES = 2n ** 64n;
const LEAST_HASH = -(2n ** 63n);
/** So fine is a percentage, in parts of one. */
const PARTS = 1_000_000;

/**
 * A condition that about so many percent of a table's rows fulfil, always the same ones: by a hash of the key's text. That of another
 * percentage holds the rows of every smaller one, and equal keys of different tables are chosen alike. The server's own hash is as stable
 * as partitions by hash, which are built on it, need it to be.
 *
 * @param alias - of the table
 * @param key - its columns; without any, all rows are one
 */
export function hashCondition(alias: string, key: readonly string[], percent: number): string {
  const columns = key.map((column) => `${alias}.${quoteIdentifier(column)}`).join(', ');
  const below = LEAST_HASH + (HASHES * BigInt(Math.round(percent * PARTS))) / BigInt(100 * PARTS);
  return `pg_catalog.hashtextextended(ROW(${columns})::text COLLATE pg_catalog."C", 0) < ${literal(below)}`;
}

/** The server reads a minus sign before a number as an operator. */
const literal = (number: bigint): string => `'${number}'::int8`;
