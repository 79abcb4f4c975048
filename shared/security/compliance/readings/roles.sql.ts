/** Roles but for PostgreSQL's own; `valid_until` in milliseconds since the epoch, null for ever. */
export const rolesSql = `
SELECT r.rolname AS name, r.oid = 10 AS bootstrap, r.rolname = current_user AS own, r.rolsuper AS superuser,
       r.rolcanlogin AS login, r.rolcreaterole AS createrole, r.rolcreatedb AS createdb,
       r.rolreplication AS replication, r.rolbypassrls AS bypassrls, r.rolconnlimit AS connection_limit,
       CASE WHEN pg_catalog.isfinite(r.rolvaliduntil)
            THEN (pg_catalog.date_part('epoch', r.rolvaliduntil) * 1000)::float8 END AS valid_until,
       EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
                WHERE m.member = r.oid AND g.rolname = 'rds_iam') AS by_iam,
       EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
                WHERE m.member = r.oid AND g.rolname = 'rds_superuser') AS administers,
       EXISTS (SELECT FROM pg_catalog.pg_class c
                WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p') AND c.oid >= 16384) AS owns_tables
  FROM pg_catalog.pg_roles r
 WHERE r.rolname !~ '^pg_'
 ORDER BY r.rolname
 LIMIT 2000`;

/** Who is a member of what, PostgreSQL's own roles aside as members. */
export const membershipsSql = `
SELECT g.rolname AS role, u.rolname AS member, o.rolname AS grantor, m.admin_option AS admin, g.rolsuper AS role_is_superuser,
       g.oid < 16384 AND g.oid <> 10 AS predefined, u.rolsuper AS member_is_superuser,
       u.rolcreaterole AS member_creates_roles, u.rolname = current_user AS own
  FROM pg_catalog.pg_auth_members m
  JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
  JOIN pg_catalog.pg_roles u ON u.oid = m.member
  LEFT JOIN pg_catalog.pg_roles o ON o.oid = m.grantor
 WHERE u.rolname !~ '^pg_'
 ORDER BY 1, 2, 3
 LIMIT 2000`;

/** How the passwords of logins are stored: never the hash. For superusers alone. */
export const passwordsSql = `
SELECT rolname AS name,
       CASE WHEN rolpassword IS NULL THEN 'none'
            WHEN rolpassword LIKE 'md5%' THEN 'md5'
            WHEN rolpassword LIKE 'SCRAM-SHA-256$%' THEN 'scram-sha-256'
            ELSE 'other' END AS kind,
       coalesce(pg_catalog.substring(rolpassword, '^SCRAM-SHA-256[$](\\d+):')::int, 0) AS iterations,
       rolname = current_user AS own, rolsuper AS superuser
  FROM pg_catalog.pg_authid
 WHERE rolcanlogin AND rolname !~ '^pg_'
 ORDER BY rolname
 LIMIT 2000`;
