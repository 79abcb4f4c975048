import { IS_AURORA } from '../../postgres/log-position.sql.ts';

/**
 * A standby's lag is the age of the last transaction it replayed, while it has received more than that; a replica that has caught up
 * has none, though the server then shows NULL after a moment. Aurora refuses these functions on its readers.
 */
export const replicationLagSql = `
SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery()
            THEN (SELECT pg_catalog.max(coalesce(pg_catalog.date_part('epoch', replay_lag), CASE WHEN replay_lsn >= sent_lsn THEN 0 END))
                    FROM pg_catalog.pg_stat_replication)
            WHEN ${IS_AURORA} THEN NULL
            WHEN pg_catalog.pg_last_wal_receive_lsn() IS NOT DISTINCT FROM pg_catalog.pg_last_wal_replay_lsn() THEN 0
            ELSE pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())
       END AS replication_lag_seconds,
       CASE WHEN pg_catalog.pg_is_in_recovery() AND ${IS_AURORA}
            THEN 'A reader of Aurora does not tell how far it is behind: see AuroraReplicaLag in CloudWatch' END AS reason`;

/**
 * Replicas and slots in one row. Of $1, how far the server's log is, NULL where the server does not tell it: then how much is kept for
 * slots is unknown as well.
 *
 * Slots of this system have a reader for some seconds of each minute, and an age of their own: they do not count as left. How much of
 * what the server keeps for a slot at most (max_slot_wal_keep_size) is used: `safe_wal_size` is what may yet be written before it is
 * given up, NULL where there is no limit; a lost slot has used all.
 */
export const replicationSql = `
SELECT pg_catalog.pg_wal_lsn_diff($1::pg_catalog.pg_lsn, '0/0')::float8 AS wal_bytes,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication)::float8 AS replicas,
       slots.*
  FROM (
         SELECT pg_catalog.count(*)::float8 AS slots,
                pg_catalog.count(*) FILTER (WHERE NOT active AND NOT own)::float8 AS inactive_slots,
                CASE WHEN $1::pg_catalog.pg_lsn IS NOT NULL OR pg_catalog.count(*) = 0
                     THEN coalesce(pg_catalog.max(retained), 0) END::float8 AS retained_wal_bytes,
                CASE WHEN pg_catalog.count(*) FILTER (WHERE usage IS NULL) = 0
                     THEN coalesce(pg_catalog.max(usage), 0) END::float8 AS slot_wal_usage,
                (pg_catalog.array_agg(slot_name ORDER BY retained DESC NULLS LAST))[1] AS furthest_slot,
                (pg_catalog.array_agg(slot_name ORDER BY usage DESC NULLS LAST))[1] AS endangered_slot,
                (pg_catalog.array_agg(slot_name ORDER BY slot_name) FILTER (WHERE NOT active AND NOT own))[1] AS unread_slot
           FROM (
             SELECT slot_name::text, active, pg_catalog.starts_with(slot_name::text, 'dbms_') AS own, retained,
                    CASE WHEN wal_status = 'lost' THEN 1
                         WHEN safe_wal_size IS NULL THEN 0
                         WHEN $1::pg_catalog.pg_lsn IS NULL THEN NULL
                         ELSE coalesce(retained / nullif(retained + greatest(safe_wal_size, 0), 0), 0) END AS usage
               FROM pg_catalog.pg_replication_slots,
                    LATERAL (SELECT greatest(pg_catalog.pg_wal_lsn_diff($1::pg_catalog.pg_lsn, restart_lsn), 0) AS retained) AS kept
           ) AS slot
       ) AS slots`;
