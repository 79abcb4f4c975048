/** Columns of a session, as seconds and ISO times. */
const session = (alias: string): string => `
       ${alias}.pid, ${alias}.datname AS database, ${alias}.usename AS "user", nullif(${alias}.application_name, '') AS application,
       ${alias}.state, ${since(`${alias}.xact_start`)} AS transaction_seconds, ${alias}.query`;

function since(start: string): string {
  return `greatest(0, pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - ${start}))`;
}

/**
 * A page of sessions, the oldest first: $1 state, $2 user, $3 application (null: any), $4 and $5 beginning (microseconds since the
 * epoch) and pid of the last session of the page before (null: none), $6 how many.
 */
export const sessionsSql = `
SELECT ${session('s')}, pg_catalog.host(s.client_addr) AS client_address,
       s.wait_event_type || ': ' || s.wait_event AS wait_event,
       s.backend_start AS connected_at, ${since('s.query_start')} AS query_seconds,
       ${since('s.state_change')} AS state_seconds,
       s.application_name LIKE 'dbms %' AS own, s.started::text AS started
  FROM (SELECT *, (extract(epoch FROM backend_start) * 1000000)::bigint AS started
          FROM pg_catalog.pg_stat_activity
         WHERE backend_type = 'client backend') AS s
 WHERE ($1::text IS NULL OR s.state = $1)
   AND ($2::text IS NULL OR s.usename = $2)
   AND ($3::text IS NULL OR s.application_name = $3)
   AND ($4::bigint IS NULL OR (s.started, s.pid) > ($4, $5::int))
 ORDER BY s.started, s.pid
 LIMIT $6`;

/** Whether the login may end a session `s`: a superuser may all, others none of a superuser. */
const MAY_END = `(
         (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
         OR NOT coalesce((SELECT rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = s.usesysid), true)
            AND (pg_catalog.pg_has_role(s.usesysid, 'USAGE') OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))
       )`;

/** Sessions that may be ended from outside: of this database, not this system's own, and no replication. */
const ENDABLE = `s.datname = pg_catalog.current_database()
   AND s.backend_type = 'client backend'
   AND s.application_name NOT LIKE 'dbms %'
   AND s.pid <> pg_catalog.pg_backend_pid()`;

/**
 * Ends idle sessions in one statement, so that none can become busy between being found and being ended but for an instant:
 * $1 least idle seconds, $2 user, $3 application (null: any), $4 whether also those idle in a transaction, $5 how many at most.
 */
export const closeIdleSql = `
WITH fitting AS MATERIALIZED (
  SELECT s.pid, s.usename AS "user", nullif(s.application_name, '') AS application,
         ${since('s.state_change')} AS idle_seconds, ${MAY_END} AS permitted
    FROM pg_catalog.pg_stat_activity s
   WHERE ${ENDABLE}
     AND (s.state = 'idle' OR $4 AND s.state LIKE 'idle in transaction%')
     AND pg_catalog.clock_timestamp() - s.state_change >= $1 * interval '1 second'
     AND ($2::text IS NULL OR s.usename = $2)
     AND ($3::text IS NULL OR s.application_name = $3)
), chosen AS MATERIALIZED (
  SELECT * FROM fitting WHERE permitted ORDER BY idle_seconds DESC, pid LIMIT $5
)
SELECT pid, "user", application, idle_seconds, pg_catalog.pg_terminate_backend(pid) AS ended,
       (SELECT pg_catalog.count(*) FROM fitting WHERE NOT permitted)::int AS not_permitted,
       (SELECT pg_catalog.count(*) FROM fitting WHERE permitted)::int AS fitting
  FROM chosen
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, pg_catalog.count(*) FILTER (WHERE NOT permitted)::int, 0
  FROM fitting
HAVING NOT EXISTS (SELECT FROM chosen)`;

/** Ends session $1 if that may be: why not, in a word, or whether it was ended. */
export const terminateSql = `
WITH wanted AS MATERIALIZED (
  SELECT s.pid, s.usename AS "user", nullif(s.application_name, '') AS application,
         coalesce(${since('s.state_change')}, 0) AS idle_seconds,
         CASE WHEN NOT (${ENDABLE}) THEN 'protected' WHEN NOT ${MAY_END} THEN 'not_permitted' ELSE 'may' END AS outcome
    FROM pg_catalog.pg_stat_activity s
   WHERE s.pid = $1
)
SELECT *, CASE outcome WHEN 'may' THEN pg_catalog.pg_terminate_backend(pid) END AS ended FROM wanted`;

/** The most waiting sessions of which the blockers are sought: that looks into the lock table once for each. */
export const MOST_WAITING = 200;

/** The sessions that wait longest for a lock, whom they wait for, and those sessions themselves. */
export const blockingSql = `
WITH waiting AS MATERIALIZED (
  SELECT pid, pg_catalog.pg_blocking_pids(pid) AS blocked_by
    FROM (SELECT pid FROM pg_catalog.pg_stat_activity
           WHERE wait_event_type = 'Lock' ORDER BY query_start LIMIT ${MOST_WAITING}) AS longest
), involved AS (
  SELECT pid FROM waiting UNION SELECT pg_catalog.unnest(blocked_by) FROM waiting
)
SELECT ${session('s')},
       greatest(0, pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
                   - CASE WHEN s.state = 'active' THEN s.query_start ELSE s.state_change END)) AS seconds,
       coalesce((SELECT pg_catalog.array_agg(DISTINCT blocker)
                   FROM waiting w, pg_catalog.unnest(w.blocked_by) AS blocker WHERE w.pid = s.pid), '{}') AS blocked_by,
       (SELECT l.mode || ' on ' || coalesce(
                 CASE WHEN l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
                      THEN l.relation::pg_catalog.regclass::text ELSE l.relation::text END, l.locktype)
          FROM pg_catalog.pg_locks l WHERE l.pid = s.pid AND NOT l.granted LIMIT 1) AS lock,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE wait_event_type = 'Lock')::int AS waiting
  FROM involved JOIN pg_catalog.pg_stat_activity s USING (pid)`;
