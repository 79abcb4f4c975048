import type pg from 'pg';
import { quoteQualified } from '../../../postgres/identifiers.ts';
import type { SchemaDump, SchemaEntry } from '../../../postgres/pg-dump/schema-dump.ts';
import { schemaRefused } from '../schema-entry.ts';

/** What a rule must keep to, and is only made when the rows are there. */
const KEY_TYPES = new Set(['CONSTRAINT', 'CHECK CONSTRAINT', 'FK CONSTRAINT', 'INDEX', 'INDEX ATTACH']);

/**
 * Keys, checks and foreign keys of tables, with those of other tables that they need, in the order of the dump.
 *
 * @param tables - names as {@link quoteQualified} writes them
 */
export function keysOf({ entries }: SchemaDump, tables: ReadonlySet<string>): SchemaEntry[] {
  const keys = entries.filter(({ section, type }) => section === 'post-data' && KEY_TYPES.has(type));
  const byId = new Map(keys.map((entry) => [entry.dump_id, entry]));
  const ids = new Set(
    entries
      .filter(({ type, schema, name }) => type === 'TABLE' && tables.has(quoteQualified(schema ?? '', name)))
      .map(({ dump_id }) => dump_id),
  );
  const wanted = new Set<SchemaEntry>();
  // What depends on a key, such as its place in a partitioned index, is of the table as well.
  for (const entry of keys) {
    if (!entry.depends_on.some((id) => ids.has(id))) continue;
    wanted.add(entry);
    ids.add(entry.dump_id);
  }
  // A set takes what is added while it is walked through.
  for (const { depends_on } of wanted)
    for (const id of depends_on) if (byId.has(id)) wanted.add(byId.get(id) as SchemaEntry);
  return keys.filter((entry) => wanted.has(entry));
}

/**
 * Works as if the keys were there: they are made in a transaction that is taken back, which is quick as long as there are no rows.
 *
 * @throws OperationError `schema_refused` naming what the server refuses to make
 */
export async function withKeys<Result>(
  client: pg.Client,
  keys: readonly SchemaEntry[],
  work: () => Promise<Result>,
): Promise<Result> {
  await client.query('BEGIN');
  try {
    for (const entry of keys) {
      await client.query(entry.sql).catch((error: unknown) => {
        throw schemaRefused(entry, error);
      });
    }
    return await work();
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
  }
}
