import { RESERVED_CONNECTIONS } from '../../postgres/reserved-connections.sql.ts';

/**
 * One row: how many more sessions the server would take from this login, not counting those of the application `$1`. What a login
 * may not see of other sessions is null: what distinguishes a client is that it has both a database and a user.
 */
export const freeConnectionsSql = `
SELECT pg_catalog.current_setting('max_connections')::int
       - ${RESERVED_CONNECTIONS}
       - (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_stat_activity a
           WHERE a.datid IS NOT NULL AND a.usesysid IS NOT NULL
             AND NOT coalesce(pg_catalog.starts_with(a.application_name, $1), false)) AS free,
       (SELECT nullif(d.datconnlimit, -1) FROM pg_catalog.pg_database d
         WHERE d.datname = pg_catalog.current_database())
       - (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_stat_activity a
           WHERE a.datname = pg_catalog.current_database()
             AND NOT coalesce(pg_catalog.starts_with(a.application_name, $1), false)) AS free_in_database,
       (SELECT nullif(r.rolconnlimit, -1) FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
       - (SELECT pg_catalog.count(*)::int FROM pg_catalog.pg_stat_activity a
           WHERE a.usename = current_user
             AND NOT coalesce(pg_catalog.starts_with(a.application_name, $1), false)) AS free_for_role`;
