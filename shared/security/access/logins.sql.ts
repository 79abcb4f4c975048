/** Logins but for PostgreSQL's own, with what they may do and have of their own; $1 is the one that is wanted, null: all. */
export const loginsSql = `
SELECT r.rolname AS name,
       pg_catalog.array_remove(ARRAY[
         CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolcreaterole THEN 'createrole' END,
         CASE WHEN r.rolcreatedb THEN 'createdb' END, CASE WHEN r.rolreplication THEN 'replication' END,
         CASE WHEN r.rolbypassrls THEN 'bypassrls' END], NULL) AS attributes,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
              WHERE m.member = r.oid ORDER BY 1 LIMIT 100) AS member_of,
       NULLIF(r.rolconnlimit, -1) AS connection_limit,
       CASE WHEN pg_catalog.isfinite(r.rolvaliduntil)
            THEN (pg_catalog.date_part('epoch', r.rolvaliduntil) * 1000)::float8 END AS valid_until,
       coalesce((SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0),
                '{}') AS settings,
       (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid) AS sessions,
       r.rolname = session_user AS is_own
  FROM pg_catalog.pg_roles r
 WHERE r.rolcanlogin AND r.rolname !~ '^pg_' AND ($1::text IS NULL OR r.rolname = $1)
 ORDER BY r.rolname
 LIMIT 1000`;
