/** Changed or dead rows from which a table that was long not vacuumed or analysed counts. */
const MANY_ROWS = 10_000;

/**
 * Rows and age of the tables of this database, in one row: from the statistics alone, so that no table is opened or locked.
 */
export const tableNumbersSql = `
WITH relation AS MATERIALIZED (
  SELECT oid, relpages, pg_catalog.pg_stat_get_live_tuples(oid) AS live, pg_catalog.pg_stat_get_dead_tuples(oid) AS dead
    FROM pg_catalog.pg_class
   WHERE relkind IN ('r', 'm')
)
SELECT pg_catalog.count(*)::float8 AS tables,
       coalesce(pg_catalog.sum(dead), 0)::float8 AS dead_rows,
       coalesce(pg_catalog.sum(live), 0)::float8 AS live_rows,
       coalesce(pg_catalog.max(relpages), 0) * pg_catalog.current_setting('block_size')::float8 AS largest_table_bytes,
       (SELECT pg_catalog.max(${since('vacuum')}) FROM relation WHERE dead > ${MANY_ROWS}) AS oldest_vacuum_seconds,
       (SELECT pg_catalog.max(${since('analyze')}) FROM relation
         WHERE live + dead > ${MANY_ROWS}
           AND pg_catalog.pg_stat_get_mod_since_analyze(oid) > ${MANY_ROWS}) AS oldest_analyze_seconds
  FROM relation`;

/** Seconds since the last run, by hand or by autovacuum; of a table that never had one, since the server started. */
function since(what: 'vacuum' | 'analyze'): string {
  return `pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - coalesce(
            greatest(pg_catalog.pg_stat_get_last_${what}_time(oid), pg_catalog.pg_stat_get_last_auto${what}_time(oid)),
            pg_catalog.pg_postmaster_start_time()))`;
}

/** The largest tables by the pages that VACUUM or ANALYZE last counted: their sizes on disk would take a lock on each. */
export const largestTablesSql = `
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
       c.relpages * pg_catalog.current_setting('block_size')::float8 AS bytes
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND c.relpages > 0 AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 ORDER BY c.relpages DESC, c.oid
 LIMIT 10`;

/** Invalid indexes that no session is building, the first few by name. A failed CREATE INDEX CONCURRENTLY leaves them. */
export const invalidIndexesSql = `
SELECT pg_catalog.count(*) OVER ()::float8 AS all, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT i.indisvalid
   AND c.relkind = 'i'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
 ORDER BY name
 LIMIT 10`;

/** How many sequences are looked at in one go: each is opened for it. */
export const SEQUENCES_AT_ONCE = 4000;

/** Sequences that can end: of a bigint one with the usual steps nobody sees the end. */
const endable = `NOT s.seqcycle AND (s.seqtypid <> 'pg_catalog.int8'::pg_catalog.regtype
                  OR s.seqmax - s.seqmin < 1000000000000000::numeric OR pg_catalog.abs(s.seqincrement::numeric) > 1000
                  OR s.seqstart > 1000000000000000)`;

export const sequenceCountSql = `SELECT pg_catalog.count(*)::int AS sequences FROM pg_catalog.pg_sequence s WHERE ${endable}`;

/**
 * The sequences nearest their end, of those that may be read: share of the values between their start and their end that are used.
 * Of $1 slices, slice $2.
 */
export const sequencesSql = `
SELECT name, id, (value - first)::float8 / nullif(last - first, 0)::float8 AS usage
  FROM (
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.oid::bigint::float8 AS id,
           pg_catalog.pg_sequence_last_value(s.seqrelid)::numeric AS value,
           (CASE WHEN s.seqincrement > 0 THEN least(s.seqstart, s.seqmin) ELSE greatest(s.seqstart, s.seqmax) END)::numeric AS first,
           (CASE WHEN s.seqincrement > 0 THEN s.seqmax ELSE s.seqmin END)::numeric AS last
      FROM pg_catalog.pg_sequence s
      JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE ${endable}
       AND s.seqrelid::bigint % $1 = $2
       AND c.relpersistence <> 't'
       AND pg_catalog.has_sequence_privilege(s.seqrelid, 'SELECT, USAGE')
  ) AS sequence
 WHERE value IS NOT NULL
 ORDER BY usage DESC NULLS LAST
 LIMIT 10`;

/** Bytes of the WAL where the login may see that. Asked of self-managed servers alone: others may refuse it. */
export const walDirectorySql = `
SELECT CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE')
            THEN (SELECT pg_catalog.sum(size)::float8 FROM pg_catalog.pg_ls_waldir()) END AS wal_directory_bytes`;

/** Bytes of this database, and of all that the login may see; files are counted, not locked. */
export const sizesSql = `
SELECT pg_catalog.sum(bytes) FILTER (WHERE datname = pg_catalog.current_database())::float8 AS database_bytes,
       pg_catalog.sum(bytes)::float8 AS all_database_bytes
  FROM (
    SELECT datname, pg_catalog.pg_database_size(oid) AS bytes
      FROM pg_catalog.pg_database
     WHERE pg_catalog.has_database_privilege(oid, 'CONNECT') OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
  ) AS database`;
