import type pg from 'pg';
import * as z from 'zod';
import { foreignKeysSql, relationsSql } from './catalog.sql.ts';

const oidSchema = z.coerce.number();

const relationSchema = z.object({
  oid: oidSchema,
  schema: z.string(),
  name: z.string(),
  is_partitioned: z.boolean(),
  root: oidSchema,
  ancestors: z.array(oidSchema),
  readable: z.boolean(),
  key: z.array(z.string()),
});

const columnPairSchema = z.object({
  child: z.string(),
  parent: z.string(),
  nullable: z.boolean(),
  operator: z.string(),
  child_cast: z.string().nullable(),
  parent_cast: z.string().nullable(),
  collation: z.string().nullable(),
});

const foreignKeySchema = z.object({
  name: z.string(),
  child: oidSchema,
  parent: oidSchema,
  has_period: z.boolean(),
  columns: z.array(columnPairSchema),
});

export type Relation = z.output<typeof relationSchema>;
export type ForeignKey = z.output<typeof foreignKeySchema>;
export type ColumnPair = z.output<typeof columnPairSchema>;

export interface SampleCatalog {
  relations: Map<number, Relation>;
  foreignKeys: ForeignKey[];
}

/** @param client - a session in the snapshot, whose search path is empty, so that every name comes with its schema */
export async function readSampleCatalog(client: pg.Client): Promise<SampleCatalog> {
  const relations = z.array(relationSchema).parse((await client.query(relationsSql)).rows);
  const foreignKeys = z.array(foreignKeySchema).parse((await client.query(foreignKeysSql)).rows);
  return { relations: new Map(relations.map((relation) => [relation.oid, relation])), foreignKeys };
}
