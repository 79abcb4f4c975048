import type pg from 'pg';

interface TableName {
  schema: string;
  name: string;
}

/**
 * Partitions found by the hash of an enum, with the partitioned table at their root. An enum hashes by its number in the catalog,
 * which every database gives anew, so a row may belong to another partition than it came from.
 */
const rehashedPartitionsSql = `
SELECT DISTINCT n.nspname AS schema, c.relname AS name, rn.nspname AS root_schema, r.relname AS root_name
  FROM pg_catalog.pg_partitioned_table p
  CROSS JOIN LATERAL pg_catalog.pg_partition_tree(p.partrelid) leaf
  JOIN pg_catalog.pg_class c ON c.oid = leaf.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class r ON r.oid = pg_catalog.pg_partition_root(p.partrelid)
  JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
 WHERE p.partstrat = 'h' AND leaf.isleaf
   AND EXISTS (SELECT FROM pg_catalog.unnest(p.partclass::oid[]) AS class
                 JOIN pg_catalog.pg_opclass o ON o.oid = class
                WHERE o.opcname = 'enum_ops')`;

/**
 * Says which table each table's rows are to be sent to: itself, unless the new database would refuse some of them there.
 *
 * @param client - in the new database, once its tables are there
 */
export async function findLoadTargets(client: pg.Client): Promise<(table: TableName) => TableName> {
  const { rows } = await client.query<TableName & { root_schema: string; root_name: string }>(rehashedPartitionsSql);
  const key = ({ schema, name }: TableName): string => JSON.stringify([schema, name]);
  const roots = new Map(
    rows.map((row): [string, TableName] => [key(row), { schema: row.root_schema, name: row.root_name }]),
  );
  return (table) => roots.get(key(table)) ?? { schema: table.schema, name: table.name };
}
