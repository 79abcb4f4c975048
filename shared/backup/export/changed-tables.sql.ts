/**
 * Of the tables with the OIDs `$1`, those that were rewritten, dropped or replaced since the session's snapshot: TRUNCATE and some
 * forms of ALTER TABLE put another file in place of a table's, in which an older snapshot finds nothing, and so it does in another
 * table that took the name. `pg_class` is read as of the snapshot, the functions tell what is so now.
 */
export const changedTablesSql = `
SELECT n.nspname AS schema, c.relname AS name
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = ANY ($1::pg_catalog.oid[])
   AND (pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode
        OR pg_catalog.to_regclass(pg_catalog.format('%I.%I', n.nspname, c.relname))::pg_catalog.oid IS DISTINCT FROM c.oid)
 ORDER BY n.nspname, c.relname
 LIMIT 20`;
