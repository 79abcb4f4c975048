const own = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** Tables that have row-level security or policies. */
export const rowSecuritySql = `
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS "table", c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
       o.rolname AS owner, o.rolcanlogin AND NOT o.rolsuper AS owner_logs_in,
       (SELECT count(*)::int FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid) AS policies,
       (SELECT coalesce(pg_catalog.array_agg(p.polname::text ORDER BY p.polname), '{}') FROM pg_catalog.pg_policy p
         WHERE p.polrelid = c.oid AND p.polpermissive AND 0 = ANY (p.polroles)
           AND (pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true'
                OR p.polqual IS NULL AND pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) = 'true')) AS open_policies
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
 WHERE c.relkind IN ('r', 'p') AND ${own}
   AND (c.relrowsecurity OR EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid))
 ORDER BY 1
 LIMIT 2000`;

/** Views that read tables with row-level security in the name of an owner whom it does not hold. */
export const bypassingViewsSql = `
SELECT pg_catalog.format('%I.%I', n.nspname, v.relname) AS view,
       pg_catalog.array_agg(DISTINCT pg_catalog.format('%I.%I', tn.nspname, t.relname)) AS tables,
       pg_catalog.current_setting('server_version_num')::int >= 150000 AS takes_invoker
  FROM pg_catalog.pg_class v
  JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
  JOIN pg_catalog.pg_roles o ON o.oid = v.relowner AND (o.rolsuper OR o.rolbypassrls)
  JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.relrowsecurity
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
 WHERE v.relkind = 'v' AND ${own}
   AND NOT coalesce('security_invoker=true' = ANY (v.reloptions) OR 'security_invoker=on' = ANY (v.reloptions), false)
 GROUP BY 1
 ORDER BY 1
 LIMIT 1000`;

/** Foreign servers of postgres_fdw and dblink. */
export const foreignServersSql = `
SELECT s.srvname AS name, (SELECT pg_catalog.substr(o, 9) FROM pg_catalog.unnest(s.srvoptions) AS o WHERE o LIKE 'sslmode=%') AS sslmode
  FROM pg_catalog.pg_foreign_server s
  JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
 WHERE w.fdwname IN ('postgres_fdw', 'dblink_fdw')
 ORDER BY 1
 LIMIT 1000`;

/** User mappings, with which options they have; never a value. The options of others' mappings are for superusers alone. */
export const userMappingsSql = `
SELECT m.srvname AS server, CASE WHEN m.umuser = 0 THEN NULL ELSE m.usename END AS "user",
       m.umoptions IS NULL AND EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = current_user AND NOT r.rolsuper)
         AND m.usename IS DISTINCT FROM current_user AS hidden,
       EXISTS (SELECT FROM pg_catalog.unnest(m.umoptions) AS o WHERE o LIKE 'password=%') AS password,
       EXISTS (SELECT FROM pg_catalog.unnest(m.umoptions) AS o WHERE o ~* '^password_required=(false|off|no|0)') AS password_not_required
  FROM pg_catalog.pg_user_mappings m
 ORDER BY 1, 2
 LIMIT 1000`;
