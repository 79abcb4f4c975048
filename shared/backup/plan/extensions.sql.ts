/**
 * The extensions of the database, with the schemas, tables and sequences that belong to each: a restore that goes without an extension goes without
 * their rows.
 */
export const extensionsSql = `
SELECT e.extname AS name, e.extversion AS version,
       coalesce((
         SELECT pg_catalog.json_agg(n.nspname ORDER BY n.nspname)
           FROM pg_catalog.pg_depend d
           JOIN pg_catalog.pg_namespace n ON n.oid = d.objid
          WHERE d.classid = 'pg_catalog.pg_namespace'::regclass AND d.deptype = 'e'
            AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
       ), '[]') AS schemas,
       coalesce((
         SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname) ORDER BY n.nspname, c.relname)
           FROM pg_catalog.pg_depend d
           JOIN pg_catalog.pg_class c ON c.oid = d.objid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0 AND d.deptype = 'e'
            AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
            AND c.relkind IN ('r', 'p', 'S')
       ), '[]') AS relations
  FROM pg_catalog.pg_extension e
 ORDER BY e.extname`;
