/** Where the numbers of checkpoints stand: until PostgreSQL 16 in pg_stat_bgwriter, from 17 on in pg_stat_checkpointer. */
function checkpoints(version: number): string {
  return version >= 17
    ? `(SELECT pg_catalog.jsonb_build_object('timed', num_timed, 'requested', num_requested)
          FROM pg_catalog.pg_stat_checkpointer)`
    : `(SELECT pg_catalog.jsonb_build_object('timed', checkpoints_timed, 'requested', checkpoints_req)
          FROM pg_catalog.pg_stat_bgwriter)`;
}

/** Bytes read into and written from shared buffers: pg_stat_io since 16, in bytes since 18; before, what comes closest. */
function pages(version: number): string {
  if (version >= 18) {
    return `(SELECT pg_catalog.jsonb_build_object('read', pg_catalog.sum(read_bytes), 'written', pg_catalog.sum(write_bytes))
               FROM pg_catalog.pg_stat_io WHERE object <> 'wal')`;
  }
  if (version >= 16) {
    return `(SELECT pg_catalog.jsonb_build_object('read', pg_catalog.sum(reads * op_bytes), 'written', pg_catalog.sum(writes * op_bytes))
               FROM pg_catalog.pg_stat_io)`;
  }
  return `(SELECT pg_catalog.jsonb_build_object(
             'read', (SELECT pg_catalog.sum(blks_read) FROM pg_catalog.pg_stat_database) * size.bytes,
             'written', (buffers_checkpoint + buffers_clean + buffers_backend) * size.bytes)
             FROM pg_catalog.pg_stat_bgwriter,
                  (SELECT pg_catalog.current_setting('block_size')::numeric AS bytes) AS size)`;
}

/**
 * What the server has counted since its statistics began, in one row, and how near to wraparound the oldest database is.
 *
 * Ids wrap around after 2^31: pg_database.datfrozenxid and datminmxid, see "Preventing Transaction ID Wraparound Failures" in
 * the manual. Every database of the server counts, as the oldest one stops them all.
 *
 * @param version - major version of the server
 */
export function countersSql(version: number): string {
  return `
SELECT pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()) AS started,
       coalesce(pg_catalog.date_part('epoch', stats_reset), 0) AS reset,
       xact_commit::float8 AS commits, xact_rollback::float8 AS rollbacks, deadlocks::float8 AS deadlocks,
       temp_files::float8 AS temp_files, temp_bytes::float8 AS temp_bytes,
       blks_read::float8 AS blocks_read, blks_hit::float8 AS blocks_hit,
       ${checkpoints(version)} AS checkpoints,
       ${pages(version)} AS pages,
       (SELECT pg_catalog.max(pg_catalog.age(datfrozenxid)) FROM pg_catalog.pg_database) / 2147483648::float8
         AS transaction_id_usage,
       (SELECT pg_catalog.max(pg_catalog.mxid_age(datminmxid)) FROM pg_catalog.pg_database) / 2147483648::float8
         AS multixact_id_usage
  FROM pg_catalog.pg_stat_database
 WHERE datname = pg_catalog.current_database()`;
}
