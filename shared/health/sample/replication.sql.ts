/**
 * Replication in one row. A standby's lag is the age of the last transaction it replayed, while it has received more than that.
 * Slots of this system have a reader for some seconds of each minute, and an age of their own: they do not count as left.
 * Servers that hide their WAL (Aurora without logical replication) refuse this query: its values are then unknown.
 */
export const replicationSql = `
WITH position AS (
  SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
              ELSE pg_catalog.pg_current_wal_lsn() END AS lsn
)
SELECT pg_catalog.pg_wal_lsn_diff(lsn, '0/0')::float8 AS wal_bytes,
       CASE WHEN NOT pg_catalog.pg_is_in_recovery()
            THEN (SELECT pg_catalog.max(pg_catalog.date_part('epoch', replay_lag)) FROM pg_catalog.pg_stat_replication)
            WHEN pg_catalog.pg_last_wal_receive_lsn() IS NOT DISTINCT FROM pg_catalog.pg_last_wal_replay_lsn() THEN 0
            ELSE pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())
       END AS replication_lag_seconds,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication)::float8 AS replicas,
       slots.*
  FROM position,
       LATERAL (
         SELECT pg_catalog.count(*)::float8 AS slots,
                pg_catalog.count(*) FILTER (WHERE NOT active AND NOT pg_catalog.starts_with(slot_name::text, 'dbms_'))::float8 AS inactive_slots,
                coalesce(pg_catalog.max(pg_catalog.pg_wal_lsn_diff(lsn, restart_lsn)), 0)::float8 AS retained_wal_bytes
           FROM pg_catalog.pg_replication_slots
       ) AS slots`;
