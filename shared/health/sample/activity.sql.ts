/**
 * The sessions of the server in numbers, in one row. `pg_stat_activity` is read once and takes no locks.
 *
 * $1: seconds from which a running query is slow. Sessions of this system (`dbms ...`) are counted as connections, but neither as
 * long transactions nor as slow queries: a backup is meant to take long.
 *
 * How long a lock has been waited for is counted from the beginning of the statement that waits: PostgreSQL 13 knows no other
 * time, and later ones only in pg_locks, which is costly to read.
 */
export const activityNumbersSql = `
WITH client AS MATERIALIZED (
  SELECT state, wait_event_type, xact_start, query_start, state_change,
         application_name LIKE 'dbms %' AS own
    FROM pg_catalog.pg_stat_activity
   WHERE backend_type = 'client backend'
)
SELECT pg_catalog.count(*)::float8 AS connections,
       pg_catalog.current_setting('max_connections')::float8 AS max_connections,
       pg_catalog.count(*) FILTER (WHERE state = 'active')::float8 AS active,
       pg_catalog.count(*) FILTER (WHERE state = 'idle')::float8 AS idle,
       pg_catalog.count(*) FILTER (WHERE state LIKE 'idle in transaction%')::float8 AS idle_in_transaction,
       pg_catalog.count(*) FILTER (WHERE own AND state <> 'idle')::float8 AS own_busy,
       pg_catalog.count(*) FILTER (WHERE wait_event_type = 'Lock')::float8 AS blocked_sessions,
       ${seconds('query_start', "wait_event_type = 'Lock'")} AS longest_blocked_seconds,
       ${seconds('xact_start', 'NOT own')} AS longest_transaction_seconds,
       ${seconds('state_change', "state LIKE 'idle in transaction%' AND NOT own")} AS longest_idle_in_transaction_seconds,
       ${seconds('query_start', "state = 'active' AND NOT own")} AS longest_query_seconds,
       pg_catalog.count(*) FILTER (
         WHERE state = 'active' AND NOT own AND pg_catalog.clock_timestamp() - query_start > $1 * interval '1 second'
       )::float8 AS slow_queries
  FROM client`;

/** The longest time since `start` among the sessions that fulfil the condition; 0 without one. */
function seconds(start: string, condition: string): string {
  return `greatest(0, coalesce(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - pg_catalog.min(${start}) FILTER (WHERE ${condition})), 0))`;
}

/** How many names of one kind are told apart; the rest are added up as null. */
export const MOST_NAMES = 20;

/** Sessions by state, user, application and wait event: rows of kind, name (null: none, or the rest) and number. */
export const sessionGroupsSql = `
WITH grouped AS (
  SELECT CASE 0 WHEN GROUPING(state) THEN 'state' WHEN GROUPING(usename) THEN 'user'
                WHEN GROUPING(application_name) THEN 'application' ELSE 'wait_event' END AS kind,
         coalesce(state, usename::text, application_name, wait_event) AS name,
         pg_catalog.count(*) AS sessions
    FROM (SELECT state, usename, nullif(application_name, '') AS application_name,
                 wait_event_type || ': ' || wait_event AS wait_event
            FROM pg_catalog.pg_stat_activity
           WHERE backend_type = 'client backend') AS client
   GROUP BY GROUPING SETS ((state), (usename), (application_name), (wait_event))
), ranked AS (
  SELECT *, pg_catalog.row_number() OVER (PARTITION BY kind ORDER BY name IS NULL, sessions DESC, name) AS rank FROM grouped
)
SELECT kind, CASE WHEN rank <= ${MOST_NAMES} THEN name END AS name, pg_catalog.sum(sessions)::float8 AS sessions
  FROM ranked GROUP BY 1, 2 ORDER BY 1, 3 DESC`;
