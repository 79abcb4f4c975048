/**
 * Of the tables $1 (OIDs) those that are not what they were in the snapshot of the session, once they are locked: another one has
 * the name, or the rows lie in another file. A table that was emptied or rewritten has no row for an older snapshot ("Caveats" in
 * the chapter on MVCC), so a backup would hold none. The catalog is read as of the snapshot, the functions see it as it is.
 */
export const changedTablesSql = `
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = ANY ($1::oid[])
   AND (pg_catalog.to_regclass(pg_catalog.format('%I.%I', n.nspname, c.relname)) IS DISTINCT FROM c.oid::regclass
        OR pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode)`;
