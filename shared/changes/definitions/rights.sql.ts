/** Predefined roles of PostgreSQL and of managed services by which more can be reached than what is in a database. */
const POWERFUL_ROLES = [
  'pg_execute_server_program',
  'pg_read_server_files',
  'pg_write_server_files',
  'pg_read_all_data',
  'pg_write_all_data',
  'pg_maintain',
  'pg_create_subscription',
  'rds_superuser',
  'rdsadmin',
] as const;

/**
 * The rights of a role that reach beyond its own objects, as a sorted JSON array; of a superuser that alone, null for a role that is not
 * there. For a statement whose search path is `pg_catalog`, or whose operators nobody can put others in place of.
 *
 * @param role - an expression of its name
 */
export const rightsSql = (role: string): string => `(
      SELECT CASE WHEN r.rolsuper THEN '["superuser"]'::jsonb ELSE (
               SELECT coalesce(jsonb_agg(held.name ORDER BY held.name), '[]')
                 FROM (SELECT a.name FROM (VALUES ('createrole', r.rolcreaterole), ('createdb', r.rolcreatedb),
                                                  ('replication', r.rolreplication), ('bypassrls', r.rolbypassrls)) AS a(name, held)
                        WHERE a.held
                       UNION ALL
                       SELECT g.rolname::text FROM pg_roles g
                        WHERE g.rolname IN ('${POWERFUL_ROLES.join("', '")}') AND pg_has_role(r.oid, g.oid, 'MEMBER')) AS held) END
        FROM pg_roles r WHERE r.rolname = ${role})`;
