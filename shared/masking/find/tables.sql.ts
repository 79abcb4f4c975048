/**
 * Tables in which personal data is looked for: a partitioned one for all its partitions; none that an extension has made. `share`:
 * percentage of its pages that hold some thousands of rows; null: all of them.
 */
export const tablesSql = `
SELECT c.oid::int8::text AS oid,
       CASE WHEN c.relkind = 'r' AND c.relpages > $1::int THEN 100.0::float8 * $1::int / c.relpages END AS share
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
   AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
   AND NOT EXISTS (
     SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.objsubid = 0
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e')
 ORDER BY n.nspname, c.relname
 LIMIT $2::int`;
