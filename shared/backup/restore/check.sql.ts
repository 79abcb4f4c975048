import { RESERVED_CONNECTIONS } from '../../postgres/reserved-connections.sql.ts';

/** Version since which `GRANT role TO role` has the options INHERIT and SET. */
export const MEMBERSHIP_OPTIONS_SINCE = 160_000;

/** The server and the login, as far as a restore depends on them. */
export const serverFactsSql = `
SELECT pg_catalog.current_setting('server_version_num')::int AS version,
       pg_catalog.pg_is_in_recovery() AS read_only,
       r.rolname AS login,
       r.rolsuper AS superuser,
       r.rolsuper OR EXISTS (
         SELECT FROM pg_catalog.pg_roles g WHERE g.rolname = 'rds_superuser' AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')) AS administers,
       r.rolcreatedb OR r.rolsuper AS may_create_databases,
       r.rolcreaterole OR r.rolsuper AS may_create_roles,
       pg_catalog.current_setting('max_connections')::int
         - CASE WHEN r.rolsuper THEN 0 ELSE ${RESERVED_CONNECTIONS} END
         - (SELECT count(*)::int FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend')
         AS free_connections
  FROM pg_catalog.pg_roles r
 WHERE r.rolname = current_user`;

/**
 * Of the given roles: whether each exists, whether the login may make it an owner, and whether it has the rights of what the role then
 * owns. Since 16 a membership says each on its own; until then every member may make it an owner. Since 16 as well, a role is granted by who
 * has ADMIN OPTION on it alone: where the superuser is Amazon's, nobody can grant the master user.
 */
export const rolesSql = (version: number): string => `
SELECT wanted.name, r.oid IS NOT NULL AS present, coalesce(r.rolsuper, false) AS superuser,
       coalesce(pg_catalog.pg_has_role(current_user, r.oid, '${version >= MEMBERSHIP_OPTIONS_SINCE ? 'SET' : 'MEMBER'}'), false) AS settable,
       coalesce(pg_catalog.pg_has_role(current_user, r.oid, 'USAGE'), false) AS inherited,
       ${version < MEMBERSHIP_OPTIONS_SINCE} OR NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_superuser')
         OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles a ON a.oid = m.member
                     WHERE m.roleid = r.oid AND m.admin_option AND NOT a.rolsuper) AS grantable
  FROM pg_catalog.unnest($1::text[]) AS wanted(name)
  LEFT JOIN pg_catalog.pg_roles r ON r.rolname = wanted.name`;

/** Whether the server has ICU, and a collation of the operating system by one of the given names. */
export const localeSql = `
SELECT EXISTS (SELECT FROM pg_catalog.pg_collation WHERE collprovider = 'i') AS icu,
       EXISTS (SELECT FROM pg_catalog.pg_collation
                WHERE collprovider = 'c'
                  AND pg_catalog.lower(pg_catalog.replace(collcollate, '-', '')) = pg_catalog.lower(pg_catalog.replace($1, '-', '')))
         AS known`;

/** A database that is to be replaced. */
export const liveDatabaseSql = `
SELECT d.datistemplate AS template,
       pg_catalog.pg_get_userbyid(d.datdba) AS owner,
       pg_catalog.pg_has_role(current_user, d.datdba, 'USAGE') AS owned,
       (SELECT count(*)::int FROM pg_catalog.pg_prepared_xacts x WHERE x.database = d.datname) AS prepared,
       (SELECT count(*)::int FROM pg_catalog.pg_replication_slots s WHERE s.database = d.datname) AS slots,
       (SELECT count(*)::int FROM pg_catalog.pg_stat_activity a
          JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
         WHERE a.datname = d.datname
           AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
           AND (r.rolsuper OR NOT (pg_catalog.pg_has_role(current_user, r.oid, 'USAGE')
                                   OR pg_catalog.pg_has_role(current_user, 'pg_signal_backend', 'USAGE'))))
         AS untouchable
  FROM pg_catalog.pg_database d
 WHERE d.datname = $1`;
