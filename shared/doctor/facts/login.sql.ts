import { isRefusedItsPasswordSql, trustedChangeSql } from '../../postgres/own-password.sql.ts';
import { trustedFunctionsSql } from '../../postgres/run-login/run-login.sql.ts';

/**
 * The login: its attributes, and which of the given roles ($1) there are and which of them it has the rights of. `rds_replication` counts
 * by membership alone, as its right is that of an attribute.
 */
export const loginSql = `
SELECT r.rolname AS name,
       r.rolsuper AS superuser,
       r.rolinherit AS inherits,
       r.rolcreatedb OR r.rolsuper AS creates_databases,
       r.rolcreaterole OR r.rolsuper AS creates_roles,
       r.rolcreaterole OR r.rolsuper OR coalesce(${trustedFunctionsSql}, false) AS creates_run_logins,
       pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'CREATE') AS creates_schemas,
       r.rolreplication OR r.rolsuper AS replicates,
       NOT ${isRefusedItsPasswordSql('r')} OR ${trustedChangeSql} AS changes_its_password,
       pg_catalog.current_setting('event_triggers', true) = 'off' AS fires_no_event_triggers,
       ARRAY(SELECT pg_catalog.format('%s (%s)', t.evtname, pg_catalog.pg_get_userbyid(p.proowner))
               FROM pg_catalog.pg_event_trigger t
               JOIN pg_catalog.pg_proc p ON p.oid = t.evtfoid
              WHERE t.evtevent = 'login' AND t.evtenabled IN ('O', 'A') ORDER BY t.evtname) AS login_triggers,
       NULLIF(r.rolconnlimit, -1) AS connection_limit,
       (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid) AS sessions,
       CASE WHEN pg_catalog.isfinite(r.rolvaliduntil)
            THEN (pg_catalog.date_part('epoch', r.rolvaliduntil) * 1000)::float8 END AS valid_until,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_roles g WHERE g.rolname = ANY ($1::text[])) AS known_roles,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_roles g
              WHERE g.rolname = ANY ($1::text[])
                AND (pg_catalog.pg_has_role(r.oid, g.oid, 'USAGE')
                     OR (g.rolname = 'rds_replication' AND pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')))) AS has_roles
  FROM pg_catalog.pg_roles r
 WHERE r.rolname = current_user`;
