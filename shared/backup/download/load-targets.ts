import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';

interface TableName {
  schema: string;
  name: string;
}

/**
 * Says which table each table's rows are to be sent to: a partition's to the table at the root, where some table above it is
 * partitioned by hash; any other's to itself. A hash may be another one in another database: that of an enum is of its number
 * in the catalog. pg_dump does the same with `--load-via-partition-root`.
 */
export function loadTargets(entries: readonly SchemaEntry[]): (table: TableName) => TableName {
  const tables = new Map(entries.filter(({ type }) => type === 'TABLE').map((entry) => [entry.dump_id, entry]));
  const parents = new Map<SchemaEntry, SchemaEntry>();
  for (const entry of entries) {
    if (entry.type !== 'TABLE ATTACH') continue;
    const joined = entry.depends_on.flatMap((id) => tables.get(id) ?? []);
    const below = joined.find((table) => keyOf(table) === keyOf(entry));
    const above = joined.find((table) => table !== below);
    if (below && above) parents.set(below, above);
  }
  const byName = new Map([...tables.values()].map((entry) => [keyOf(entry), entry]));
  return (table) => {
    const own = byName.get(keyOf(table));
    let root = own;
    let hashed = false;
    for (let above = own && parents.get(own); above; above = parents.get(above)) {
      hashed ||= /^PARTITION BY HASH /m.test(above.sql);
      root = above;
    }
    return hashed && root ? { schema: root.schema ?? '', name: root.name } : { schema: table.schema, name: table.name };
  };
}

const keyOf = ({ schema, name }: { schema: string | null; name: string }): string => JSON.stringify([schema, name]);
