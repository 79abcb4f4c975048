const OWN_SCHEMA = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp\\_%'`;

export const selectableSchemasSql = `SELECT n.nspname AS name FROM pg_catalog.pg_namespace n WHERE ${OWN_SCHEMA} ORDER BY 1`;

/**
 * What patterns may choose: relations, with the partitioned tables above each, the extension whose configuration it is, and for
 * a sequence the tables whose columns it counts for. What else belongs to an extension comes with that.
 */
export const selectableRelationsSql = `
WITH members AS (
  SELECT d.objid AS oid, e.extname AS extension, d.objid = ANY (e.extconfig) AS configuration
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
   WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0 AND d.deptype = 'e'
     AND d.refclassid = 'pg_catalog.pg_extension'::regclass
)
SELECT c.oid::int8::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, m.extension,
       CASE WHEN c.relispartition THEN
         ARRAY(SELECT a.relid::oid::int8::text FROM pg_catalog.pg_partition_ancestors(c.oid) AS a(relid) WHERE a.relid <> c.oid)
       ELSE '{}' END AS ancestors,
       CASE WHEN c.relkind = 'S' THEN
         ARRAY(SELECT d.refobjid::int8::text
                 FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                  AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
                UNION
               SELECT a.adrelid::int8::text
                 FROM pg_catalog.pg_depend d
                 JOIN pg_catalog.pg_attrdef a ON a.oid = d.objid
                WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass
                  AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid)
       ELSE '{}' END AS counts_for
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN members m ON m.oid = c.oid
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
   AND c.relpersistence IN ('p', 'u')
   AND ${OWN_SCHEMA}
   AND (m.oid IS NULL OR m.configuration)
 ORDER BY n.nspname, c.relname`;

/** The types of the columns that COPY takes, in their order, of the given tables. */
export const columnTypesSql = `
SELECT a.attrelid::int8::text AS oid,
       pg_catalog.array_agg(pg_catalog.format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types
  FROM pg_catalog.pg_attribute a
 WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
 GROUP BY a.attrelid`;
