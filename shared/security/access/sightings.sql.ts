/** Logins of the server, with whether each has a session now. */
export const sightingsSql = `
SELECT r.rolname AS name,
       EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid) AS present
  FROM pg_catalog.pg_roles r
 WHERE r.rolcanlogin AND r.rolname !~ '^pg_'
 ORDER BY 1
 LIMIT 2000`;
