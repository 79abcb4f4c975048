/**
 * Indexes and constraints of a database, beyond those of the system, by the names that pg_dump has for them, and whether they
 * are valid. The index of a partitioned table is invalid as long as a partition lacks its own, which is how it may have been.
 */
export const builtSql = `
SELECT n.nspname::text AS schema, c.relname::text AS name, c.relname::text AS own_name,
       c.relkind = 'I' OR (i.indisvalid AND i.indisready AND i.indislive) AS valid
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
UNION ALL
SELECT n.nspname::text, coalesce(t.relname, d.typname)::text || ' ' || k.conname::text, k.conname::text, k.convalidated
  FROM pg_catalog.pg_constraint k
  LEFT JOIN pg_catalog.pg_class t ON t.oid = k.conrelid AND k.conrelid <> 0
  LEFT JOIN pg_catalog.pg_type d ON d.oid = k.contypid AND k.contypid <> 0
  JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(t.relnamespace, d.typnamespace)
 WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'`;
