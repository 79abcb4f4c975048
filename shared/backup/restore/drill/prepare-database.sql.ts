/** Of the given extensions: those that the server leaves to superusers, where the login is one. RDS has a role in their place. */
export const privilegedExtensionsSql = `
SELECT e.name
  FROM pg_catalog.pg_available_extensions e
  JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
  JOIN pg_catalog.pg_roles r ON r.rolname = current_user
 WHERE e.name = ANY ($1::text[]) AND v.superuser AND NOT v.trusted
   AND (r.rolsuper
        OR EXISTS (SELECT FROM pg_catalog.pg_roles g
                    WHERE g.rolname = 'rds_superuser' AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')))`;

/** Statements that let a role use what an extension has brought: its tables take rows of a backup, its wrappers servers. $2: the role */
export const rightsOnMembersSql = `
SELECT pg_catalog.format('GRANT ALL ON TABLE %I.%I TO %I', n.nspname, c.relname, $2::text) AS statement
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
  JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objid AND c.relkind IN ('r', 'p', 'S', 'v')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE e.extname = $1
UNION ALL
SELECT pg_catalog.format('GRANT USAGE ON FOREIGN DATA WRAPPER %I TO %I', w.fdwname, $2::text)
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
  JOIN pg_catalog.pg_foreign_data_wrapper w ON d.classid = 'pg_catalog.pg_foreign_data_wrapper'::regclass AND w.oid = d.objid
 WHERE e.extname = $1`;
