/** Which server this is, as far as every login may know. */
export const serverFactsSql = `
SELECT pg_catalog.current_setting('server_version') AS version,
       pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version_number,
       (SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()) AS is_encrypted`;

/** Made by initdb: the same on every port and host name, on standbys and after a restart; another after a dump and restore. */
export const systemIdentifierSql =
  'SELECT system_identifier::pg_catalog.text AS system_identifier FROM pg_catalog.pg_control_system()';
