/** Of the given extensions: whether the server has each, and whether it leaves it to superusers. */
export const extensionsSql = `
SELECT wanted.name, e.name IS NOT NULL AS available, coalesce(v.superuser AND NOT v.trusted, false) AS needs_superuser
  FROM pg_catalog.unnest($1::text[]) AS wanted(name)
  LEFT JOIN pg_catalog.pg_available_extensions e ON e.name = wanted.name
  LEFT JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
 ORDER BY wanted.name`;

/**
 * What of the server and the login decides which extensions can be created. RDS and Aurora have roles in a superuser's place, and lists of
 * what may be created; `preloaded` is NULL where the login may not see it.
 */
export const serverSql = `
SELECT r.rolsuper AS superuser,
       EXISTS (
         SELECT FROM pg_catalog.pg_roles g
          WHERE g.rolname = 'rds_superuser' AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')) AS is_rds_superuser,
       EXISTS (
         SELECT FROM pg_catalog.pg_roles g
          WHERE g.rolname = 'rds_extension' AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')) AS is_rds_extension,
       pg_catalog.current_setting('rds.allowed_extensions', true) AS allowed,
       pg_catalog.current_setting('rds.allowed_delegated_extensions', true) AS delegated,
       pg_catalog.current_setting('cron.database_name', true) AS cron_database,
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'shared_preload_libraries') AS preloaded
  FROM pg_catalog.pg_roles r
 WHERE r.rolname = current_user`;

/** A database that a new one may be copied from, by whoever owns it or, of a template, anybody who may create databases. */
export const templateSql = `
SELECT pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate,
       d.datistemplate OR pg_catalog.pg_has_role(current_user, d.datdba, 'USAGE') AS copyable
  FROM pg_catalog.pg_database d
 WHERE d.datname = $1`;
