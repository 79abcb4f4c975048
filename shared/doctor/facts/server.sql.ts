import { RESERVED_CONNECTIONS } from '../../postgres/reserved-connections.sql.ts';

/** The server as it answers this session, and the given settings ($1) as they are for it. */
export const serverSql = `
SELECT pg_catalog.current_setting('server_version_num')::int AS version,
       pg_catalog.current_setting('server_version') AS version_text,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       (SELECT s.ssl FROM pg_catalog.pg_stat_ssl s WHERE s.pid = pg_catalog.pg_backend_pid()) AS encrypted,
       coalesce((
         SELECT pg_catalog.json_object_agg(s.name, pg_catalog.json_build_object(
                  'value', s.setting, 'source', s.source, 'context', s.context, 'type', s.vartype, 'unit', s.unit,
                  'pending_restart', s.pending_restart))
           FROM pg_catalog.pg_settings s WHERE s.name = ANY ($1::text[])), '{}') AS settings`;

/** The database that the session is in, and how many sessions it and the server have and may have. $1: who may use reserved slots. */
export const databaseSql = `
SELECT d.datname AS name,
       o.rolname AS owner,
       o.rolsuper OR coalesce(pg_catalog.pg_has_role(o.oid, admins.oid, 'MEMBER'), false) AS owner_administers,
       pg_catalog.pg_has_role(d.datdba, 'USAGE') AS owned,
       NULLIF(d.datconnlimit, -1) AS connection_limit,
       s.numbackends AS sessions,
       pg_catalog.current_setting('max_connections')::int AS max_connections,
       ${RESERVED_CONNECTIONS} AS reserved,
       (SELECT pg_catalog.sum(every.numbackends)::int FROM pg_catalog.pg_stat_database every) AS all_sessions
  FROM pg_catalog.pg_database d
  JOIN pg_catalog.pg_roles o ON o.oid = d.datdba
  JOIN pg_catalog.pg_stat_database s ON s.datid = d.oid
  LEFT JOIN pg_catalog.pg_roles admins ON admins.rolname = $1
 WHERE d.datname = pg_catalog.current_database()`;

/** What of the server is in use by replication. */
export const replicationSql = `
SELECT (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_replication_slots) AS slots,
       (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_stat_replication) AS senders`;
