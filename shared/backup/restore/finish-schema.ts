import type pg from 'pg';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import type { Manifest } from '../manifest.ts';

/** Creates one entry; answers warnings about what could not be set. */
export type CreateEntry = (client: pg.Client, entry: SchemaEntry) => Promise<string[]>;

/** Creates entries one after the other. */
export async function createEntriesInOrder(
  client: pg.Client,
  entries: readonly SchemaEntry[],
  create: CreateEntry,
  signal: AbortSignal,
): Promise<string[]> {
  const warnings: string[] = [];
  for (const entry of entries) {
    signal.throwIfAborted();
    warnings.push(...(await create(client, entry)));
  }
  return warnings;
}

/**
 * Refreshes the materialized views that had content, in the order in which they were defined (a view is defined after those
 * that it reads). One that cannot be refreshed loses no data, as its query can be run again: a warning names it.
 */
export async function refreshMaterializedViews(
  client: pg.Client,
  { materialized_views: views }: Manifest,
  preData: readonly SchemaEntry[],
  signal: AbortSignal,
): Promise<string[]> {
  const position = new Map(preData.map(({ oid, type }, index) => [`${type} ${oid}`, index]));
  const order = (oid: number): number => position.get(`MATERIALIZED VIEW ${oid}`) ?? Number.MAX_SAFE_INTEGER;
  const warnings: string[] = [];
  for (const { schema, name } of [...views].sort((a, b) => order(a.oid) - order(b.oid))) {
    signal.throwIfAborted();
    const view = quoteQualified(schema, name);
    try {
      // An earlier attempt may have come this far.
      const { rows } = await client.query(
        'SELECT relispopulated AS done FROM pg_catalog.pg_class WHERE oid = $1::regclass',
        [view],
      );
      if (rows[0]?.done) continue;
      await client.query(`REFRESH MATERIALIZED VIEW ${view}`);
    } catch (error) {
      if ((error as { code?: string }).code === undefined) throw error;
      warnings.push(`Materialized view ${schema}.${name} could not be refreshed: ${(error as Error).message}`);
    }
  }
  return warnings;
}
