/**
 * One row with what the server is, its settings as the session sees them, and settings given to roles and databases. A setting that
 * the login may not see is missing. Settings of extensions that are not loaded are told by name, as the view leaves them out.
 */
export const serverSql = `
SELECT pg_catalog.current_setting('server_version_num')::int AS version,
       pg_catalog.current_database() AS database,
       current_user::text AS login,
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS is_superuser,
       (SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()) AS is_encrypted,
       pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') AS sees_all_settings,
       pg_catalog.current_setting('pgaudit.log', true) AS pgaudit_log,
       pg_catalog.current_setting('rds.force_ssl', true) AS force_ssl,
       (SELECT pg_catalog.jsonb_object_agg(name, pg_catalog.jsonb_build_object(
                 'value', setting, 'source', source, 'context', context, 'type', vartype, 'unit', unit))
          FROM pg_catalog.pg_settings) AS settings`;

/** Settings that a role or a database has of its own. */
export const ownSettingsSql = `
SELECT r.rolname AS role, d.datname AS database, pg_catalog.split_part(c, '=', 1) AS name,
       pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) AS value
  FROM pg_catalog.pg_db_role_setting s
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
 CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c
 WHERE (s.setrole = 0 OR r.oid IS NOT NULL) AND (s.setdatabase = 0 OR d.oid IS NOT NULL)
 ORDER BY 1, 2, 3
 LIMIT 1000`;

/** The rules of pg_hba.conf, as the file has them now. By default for superusers alone. */
export const hbaSql = `
SELECT h.line_number AS line,
       coalesce(pg_catalog.to_jsonb(h) ->> 'file_name', pg_catalog.current_setting('hba_file')) AS file,
       h.type, h.database AS databases, h.user_name AS users, h.address, h.netmask, h.auth_method AS method, h.error
  FROM pg_catalog.pg_hba_file_rules h
 ORDER BY 2, 1
 LIMIT 1000`;
