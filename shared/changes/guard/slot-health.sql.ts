/** A slot's state, and how much log the server keeps for it. */
export const slotHealthSql = `
SELECT wal_status, safe_wal_size::float8 AS safe_bytes,
       coalesce(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), restart_lsn), 0)::float8 AS retained_bytes,
       coalesce(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), confirmed_flush_lsn), 0)::float8 AS behind_bytes
  FROM pg_catalog.pg_replication_slots
 WHERE slot_name = $1`;

/** The same of a server that does not tell how far its log is, as a standby. */
export const slotStateSql = `
SELECT wal_status, safe_wal_size::float8 AS safe_bytes, NULL::float8 AS retained_bytes, NULL::float8 AS behind_bytes
  FROM pg_catalog.pg_replication_slots
 WHERE slot_name = $1`;
