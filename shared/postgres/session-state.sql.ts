/**
 * What the server says of a session ($1) of the same login and application: whether it is there, and what it does. `known` is false
 * where the numbers of sessions are not the server's own ($2: this session's), as behind a proxy: nothing follows then.
 */
export const sessionStateSql = `
SELECT own.pid = $2 AS known, other.pid IS NOT NULL AS present, other.state, other.wait_event
  FROM pg_catalog.pg_stat_activity own
  LEFT JOIN pg_catalog.pg_stat_activity other ON other.pid = $1 AND other.application_name = own.application_name
 WHERE own.pid = pg_catalog.pg_backend_pid()`;
