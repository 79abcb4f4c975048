import { afterAll, beforeAll, expect, test } from 'vitest';
import { forEachServer, type ScratchDatabase } from '../servers.ts';
import { createEverything } from './create-everything.ts';

/** Built-in types that no column can have, or whose values only the server itself can make. */
const UNUSABLE = [
  'gtsvector',
  'pg_brin_bloom_summary',
  'pg_brin_minmax_multi_summary',
  'pg_dependencies',
  'pg_mcv_list',
  'pg_ndistinct',
  'pg_node_tree',
];

forEachServer((server) => {
  let everything: ScratchDatabase;

  beforeAll(async () => {
    everything = await createEverything(server, { bigRowBytes: 100_000 });
  });
  afterAll(async () => {
    await everything?.drop();
  });

  test('every built-in type has a column with values', async () => {
    const client = await everything.connect();
    const { rows } = await client.query(
      `SELECT array_agg(t.typname::text ORDER BY t.typname) AS missing
         FROM pg_type t
        WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b', 'r', 'm') AND t.typcategory <> 'A'
          AND t.typname <> ALL ($1)
          AND NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                           WHERE a.atttypid = t.oid AND a.attnum > 0 AND c.relkind = 'r' AND c.oid >= 16384)`,
      [UNUSABLE],
    );
    expect(rows[0].missing).toBeNull();
  });

  test.for([
    ['partitions of partitions', "SELECT FROM pg_partition_tree('structures.by_range') WHERE level > 1 AND isleaf"],
    ['inheritance', 'SELECT FROM pg_inherits GROUP BY inhrelid HAVING count(*) > 1'],
    ['tables with no columns', "SELECT FROM pg_class WHERE relkind = 'r' AND relnatts = 0 AND oid >= 16384"],
    ['an unlogged table', "SELECT FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u'"],
    ['an empty table', 'SELECT FROM (SELECT count(*) AS n FROM structures.empty) counted WHERE n = 0'],
    ['an invalid index', 'SELECT FROM pg_index WHERE NOT indisvalid'],
    ['generated columns', "SELECT FROM pg_attribute WHERE attgenerated <> ''"],
    ['identity columns', "SELECT FROM pg_attribute WHERE attidentity <> ''"],
    ['dropped columns', 'SELECT FROM pg_attribute WHERE attisdropped'],
    ['names of spaces and emoji', "SELECT FROM pg_class WHERE relname IN (' leading', '🐘')"],
    ['views', "SELECT FROM pg_class WHERE relkind = 'v' AND oid >= 16384"],
    ['a materialized view without content', "SELECT FROM pg_class WHERE relkind = 'm' AND NOT relispopulated"],
    ['procedures', "SELECT FROM pg_proc WHERE prokind = 'p' AND oid >= 16384"],
    ['triggers that are off', "SELECT FROM pg_trigger WHERE tgenabled = 'D'"],
    ['rules', "SELECT FROM pg_rewrite WHERE rulename <> '_RETURN' AND oid >= 16384"],
    ['policies', 'SELECT FROM pg_policy'],
    ['event triggers', 'SELECT FROM pg_event_trigger'],
    ['privileges on columns', 'SELECT FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid >= 16384'],
    ['default privileges', 'SELECT FROM pg_default_acl'],
    ['extensions', "SELECT FROM pg_extension WHERE extname <> 'plpgsql'"],
    ['large objects', 'SELECT FROM pg_largeobject_metadata'],
    ['publications', 'SELECT FROM pg_publication'],
    ['foreign tables', 'SELECT FROM pg_foreign_table'],
    ['statistics objects', 'SELECT FROM pg_statistic_ext'],
    ['a big row', 'SELECT FROM big.rows WHERE octet_length(b) >= 100000'],
  ])('there are %s', async ([, sql]) => {
    const client = await everything.connect();
    const { rowCount } = await client.query(sql ?? '');
    expect(rowCount).toBeGreaterThan(0);
    await client.end();
  });
});
