/** Whether the server is Aurora, which has this function. */
export const IS_AURORA = "pg_catalog.to_regproc('pg_catalog.aurora_version') IS NOT NULL";

/**
 * How far the server's log (WAL) is: on a standby, how far it has been replayed. Aurora tells it on its writer alone, and only while
 * `rds.logical_replication` is on: anything else is not asked there, as each refusal would be an error in the server's log.
 */
export const logPositionSql = `
SELECT CASE WHEN refused IS NOT NULL THEN NULL
            WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
            ELSE pg_catalog.pg_current_wal_lsn() END::text AS lsn,
       refused AS reason
  FROM (
    SELECT CASE WHEN NOT (${IS_AURORA}) THEN NULL
                WHEN pg_catalog.current_setting('wal_level') <> 'logical'
                THEN 'Aurora tells no position of its log while rds.logical_replication is 0'
                WHEN pg_catalog.pg_is_in_recovery() THEN 'A reader of Aurora tells no position of its log'
           END AS refused) AS server`;
