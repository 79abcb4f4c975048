import type pg from 'pg';
import * as z from 'zod';
import { quoteQualified } from '../../../postgres/identifiers.ts';
import { foreignKeysSql } from './foreign-keys.sql.ts';
import { namedRelationsSql, relationsSql, triggersSql } from './target.sql.ts';

const relationSchema = z.object({
  oid: z.string(),
  schema: z.string(),
  name: z.string(),
  /** `pg_class.relkind` */
  kind: z.string(),
  owned: z.boolean(),
  reachable: z.boolean(),
  readable: z.boolean(),
  truncatable: z.boolean(),
  deletable: z.boolean(),
  row_security: z.boolean(),
  members: z.array(z.string()),
  only_tables: z.boolean(),
  columns: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      /** What a domain is of; null for other types. */
      base: z.string().nullable(),
      generated: z.boolean(),
      insertable: z.boolean(),
      required: z.boolean(),
    }),
  ),
});

const foreignKeySchema = z.object({
  oid: z.string(),
  name: z.string(),
  child: z.string(),
  child_schema: z.string(),
  child_name: z.string(),
  child_partitioned: z.boolean(),
  parent: z.string(),
  parent_schema: z.string(),
  parent_name: z.string(),
  parent_partitioned: z.boolean(),
  inherited_from: z.string().nullable(),
  deferrable: z.boolean(),
  validated: z.boolean(),
  match_full: z.boolean(),
  period: z.boolean(),
  parent_readable: z.boolean(),
  child_readable: z.boolean(),
  referenced: z.array(z.string()),
  columns: z.array(
    z.object({ child: z.string(), parent: z.string(), operator: z.string(), collation: z.string().nullable() }),
  ),
});

const triggerSchema = z.object({
  relation: z.string(),
  schema: z.string(),
  table: z.string(),
  name: z.string(),
  /** `O` origin, `R` replica, `A` always */
  enabled: z.enum(['O', 'R', 'A']),
  /** Whether the login may turn it off. */
  owned: z.boolean(),
  on_insert: z.boolean(),
});

export type Relation = z.output<typeof relationSchema>;
export type ForeignKey = z.output<typeof foreignKeySchema>;
export type Trigger = z.output<typeof triggerSchema>;
export type TableName = { schema: string; name: string };

export const isPartitioned = ({ kind }: Pick<Relation, 'kind'>): boolean => kind === 'p';

/** A relation as FROM takes it: with its partitions, without those that inherit from it. */
export const fromRelation = (relation: Pick<Relation, 'schema' | 'name' | 'kind'>): string =>
  `${isPartitioned(relation) ? '' : 'ONLY '}${quoteQualified(relation.schema, relation.name)}`;

/** Reads relations by their numbers. */
export async function readRelations(client: pg.Client, oids: readonly string[]): Promise<Relation[]> {
  return z.array(relationSchema).parse((await client.query(relationsSql, [oids])).rows);
}

/**
 * Finds relations by their names.
 *
 * @returns for each name the relation and, for a partition, the partitioned table above all; undefined where there is none
 */
export async function findRelations(
  client: pg.Client,
  names: readonly TableName[],
): Promise<({ relation: Relation; root: Relation | undefined } | undefined)[]> {
  const { rows } = await client.query<{ number: number; oid: string; root: string | null }>(namedRelationsSql, [
    names.map(({ schema }) => schema),
    names.map(({ name }) => name),
  ]);
  const oids = [...new Set(rows.flatMap(({ oid, root }) => (root === null ? [oid] : [oid, root])))];
  const byOid = new Map((await readRelations(client, oids)).map((relation) => [relation.oid, relation]));
  const found = new Map(rows.map((row) => [row.number, row]));
  return names.map((_, number) => {
    const row = found.get(number);
    const relation = row && byOid.get(row.oid);
    return relation && { relation, root: row.root === null ? undefined : byOid.get(row.root) };
  });
}

/** Reads the foreign keys of and to relations. */
export async function readForeignKeys(client: pg.Client, oids: readonly string[]): Promise<ForeignKey[]> {
  return z.array(foreignKeySchema).parse((await client.query(foreignKeysSql, [oids])).rows);
}

/** Reads the user triggers of relations that are not off. */
export async function readTriggers(client: pg.Client, oids: readonly string[]): Promise<Trigger[]> {
  return z.array(triggerSchema).parse((await client.query(triggersSql, [oids])).rows);
}

/** Whether the login may turn triggers and foreign keys off for its session. Changes nothing. */
export async function mayReplicate(client: pg.Client): Promise<boolean> {
  try {
    await client.query('BEGIN; SET LOCAL session_replication_role = replica');
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== '42501') throw error;
    return false;
  } finally {
    await client.query('ROLLBACK');
  }
}
