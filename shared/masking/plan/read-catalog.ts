import type pg from 'pg';
import * as z from 'zod';
import { checksSql, columnsSql, familiesSql, foreignKeysSql, keysSql } from './catalog.sql.ts';

const familySchema = z.object({
  place: z.int(),
  oid: z.string(),
  is_partition: z.boolean(),
  members: z.array(z.string()),
});

export const columnSchema = z.object({
  table: z.string(),
  schema: z.string(),
  name: z.string(),
  column: z.string(),
  type: z.string(),
  /** The base type, where it is one of the server's own. */
  own_type: z.string().nullable(),
  /** Of an enumeration; otherwise none. */
  labels: z.array(z.string()),
  domain_checks: z.array(z.object({ name: z.string(), expression: z.string(), tree: z.string() })),
  base_name: z.string(),
  base_schema: z.string(),
  modifier: z.int(),
  /** Of an array, what its elements are made of. */
  element: z.object({ name: z.string(), schema: z.string(), modifier: z.int() }).nullable(),
  is_nullable: z.boolean(),
  ignores_case: z.boolean(),
  is_generated: z.boolean(),
  is_partition_key: z.boolean(),
  generates: z.array(z.string()),
  default_has_text: z.boolean(),
});

const keySchema = z.object({
  table: z.string(),
  name: z.string(),
  is_exclusion: z.boolean(),
  nulls_are_equal: z.boolean(),
  has_condition: z.boolean(),
  columns: z.array(z.string()),
  expressions: z.array(z.string()),
  others: z.array(z.string()),
});

const foreignKeySchema = z.object({
  name: z.string(),
  is_full: z.boolean(),
  from: z.string(),
  to: z.string(),
  from_schema: z.string(),
  from_name: z.string(),
  to_schema: z.string(),
  to_name: z.string(),
  from_columns: z.array(z.string()),
  to_columns: z.array(z.string()),
});

const checkSchema = z.object({
  table: z.string(),
  name: z.string(),
  expression: z.string(),
  /** The same as a `pg_node_tree`. */
  tree: z.string(),
  is_inherited: z.boolean(),
  columns: z.array(z.string()),
});

export type Family = z.output<typeof familySchema>;
export type CatalogColumn = z.output<typeof columnSchema>;
export type Key = z.output<typeof keySchema>;
export type ForeignKey = z.output<typeof foreignKeySchema>;
export type Check = z.output<typeof checkSchema>;

/** What the catalog says of the tables that rules name, and of those that inherit from them. Tables go by their OID as text. */
export interface MaskingCatalog {
  encoding: string;
  /** By the place of a name among those asked for; absent: there is no such table. */
  families: Map<number, Family>;
  columns: CatalogColumn[];
  keys: Key[];
  foreignKeys: ForeignKey[];
  checks: Check[];
}

/** @param client - its search path is empty, so that names in expressions and types are qualified */
export async function readMaskingCatalog(
  client: pg.Client,
  names: readonly { schema: string; table: string }[],
): Promise<MaskingCatalog> {
  const read = async <Row extends z.ZodType>(row: Row, sql: string, ...values: unknown[]): Promise<z.output<Row>[]> =>
    z.array(row).parse((await client.query(sql, values)).rows);
  const families = await read(
    familySchema,
    familiesSql,
    names.map(({ schema }) => schema),
    names.map(({ table }) => table),
  );
  const oids = [...new Set(families.flatMap(({ members }) => members))];
  const encoding = await client.query<{ encoding: string }>(
    "SELECT pg_catalog.current_setting('server_encoding') AS encoding",
  );
  return {
    encoding: encoding.rows[0]?.encoding ?? '',
    families: new Map(families.map((family) => [family.place, family])),
    columns: await read(columnSchema, columnsSql, oids),
    keys: await read(keySchema, keysSql, oids),
    foreignKeys: await read(foreignKeySchema, foreignKeysSql, oids),
    checks: await read(checkSchema, checksSql, oids),
  };
}
