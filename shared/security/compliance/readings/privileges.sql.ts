const ownSchemas = `nspname !~ '^pg_' AND nspname <> 'information_schema'`;

/**
 * What PUBLIC may do, and what others than an owner may pass on, outside the system's schemas. `object` is quoted and ready to be
 * written into a statement after its `kind`; a column is told apart. Of the database also the logins that may connect only because
 * everybody may.
 */
export const grantsSql = `
WITH acls AS (
  SELECT 'SCHEMA' AS kind, nspname::text AS shown, pg_catalog.format('%I', nspname) AS object, NULL::text AS col,
         nspowner AS owner, coalesce(nspacl, pg_catalog.acldefault('n', nspowner)) AS acl
    FROM pg_catalog.pg_namespace WHERE ${ownSchemas}
  UNION ALL
  SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, nspname || '.' || relname,
         pg_catalog.format('%I.%I', nspname, relname), NULL, relowner, relacl
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE ${ownSchemas} AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relacl IS NOT NULL
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
  UNION ALL
  SELECT 'TABLE', nspname || '.' || relname || '.' || attname, pg_catalog.format('%I.%I', nspname, relname),
         pg_catalog.format('%I', attname), relowner, attacl
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE ${ownSchemas} AND attacl IS NOT NULL AND NOT attisdropped
  UNION ALL
  SELECT 'DATABASE', datname::text, pg_catalog.format('%I', datname), NULL, datdba,
         coalesce(datacl, pg_catalog.acldefault('d', datdba))
    FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
  UNION ALL
  SELECT 'FOREIGN SERVER', srvname::text, pg_catalog.format('%I', srvname), NULL, srvowner, srvacl
    FROM pg_catalog.pg_foreign_server WHERE srvacl IS NOT NULL
)
SELECT kind, shown, object, col, e.privilege_type AS privilege, e.is_grantable AS grantable,
       CASE WHEN e.grantee = 0 THEN NULL ELSE g.rolname END AS grantee, o.rolname AS grantor,
       CASE WHEN kind = 'DATABASE' THEN ARRAY(
         SELECT r.rolname::text FROM pg_catalog.pg_roles r
          WHERE r.rolcanlogin AND NOT r.rolsuper AND r.oid <> acls.owner
            AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(acls.acl) x
                             WHERE x.grantee = r.oid AND x.privilege_type = e.privilege_type)
          ORDER BY 1 LIMIT 1000) END AS logins
  FROM acls
 CROSS JOIN LATERAL pg_catalog.aclexplode(acl) e
  LEFT JOIN pg_catalog.pg_roles g ON g.oid = e.grantee
  LEFT JOIN pg_catalog.pg_roles o ON o.oid = e.grantor
 WHERE e.grantee = 0 OR (e.is_grantable AND e.grantee <> acls.owner AND NOT coalesce(g.rolsuper, true))
 ORDER BY kind, object, col, privilege
 LIMIT 2000`;

/** Default privileges that give to PUBLIC; the word for a kind of object as \`ALTER DEFAULT PRIVILEGES\` writes it. */
export const defaultsSql = `
SELECT r.rolname AS role, n.nspname AS schema, e.privilege_type AS privilege,
       CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                            WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS kind
  FROM pg_catalog.pg_default_acl a
  JOIN pg_catalog.pg_roles r ON r.oid = a.defaclrole
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = a.defaclnamespace
 CROSS JOIN LATERAL pg_catalog.aclexplode(a.defaclacl) e
 WHERE e.grantee = 0 AND (a.defaclobjtype NOT IN ('f', 'T') OR a.defaclnamespace <> 0)
 ORDER BY 1, 2, 3
 LIMIT 1000`;

/** Owners of functions or of the database whose new functions everybody may run. */
export const openFunctionsSql = `
SELECT r.rolname AS role
  FROM pg_catalog.pg_roles r
 WHERE r.oid IN (SELECT datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
   AND NOT EXISTS (
     SELECT FROM pg_catalog.pg_default_acl a
      WHERE a.defaclrole = r.oid AND a.defaclnamespace = 0 AND a.defaclobjtype = 'f'
        AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(a.defaclacl) e WHERE e.grantee = 0))`;

/**
 * The server's functions that reach its files or programs, as far as others than superusers and PostgreSQL's predefined roles may run them.
 * pg_read_file_old, which versions before 16 have, refuses everybody else by itself, whatever its privileges say.
 */
export const fileFunctionsSql = `
SELECT pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS object,
       CASE WHEN e.grantee = 0 THEN NULL ELSE g.rolname END AS grantee
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) e
  LEFT JOIN pg_catalog.pg_roles g ON g.oid = e.grantee
 WHERE n.nspname = 'pg_catalog' AND e.grantee <> p.proowner AND (e.grantee = 0 OR g.rolname !~ '^pg_')
   AND p.proname IN ('pg_read_file', 'pg_read_binary_file', 'pg_stat_file', 'pg_ls_dir', 'lo_import', 'lo_export',
                     'pg_reload_conf', 'pg_rotate_logfile')
 ORDER BY 1, 2
 LIMIT 1000`;
