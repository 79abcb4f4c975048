import { quoteIdentifier } from '../../postgres/identifiers.ts';

/** Where the extension is, if it is: its functions are in whatever schema it was created in. */
export const statementsExtensionSql = `
SELECT n.nspname AS schema
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'pg_stat_statements'`;

/** The most statements of which a difference is made; the server itself keeps 5000 unless told otherwise. */
export const MOST_STATEMENTS = 5000;

/**
 * Calls, total time and sum of squared times (both in ms) of each statement of this database. The argument `false` leaves out the
 * texts, which the server would read from a file.
 *
 * The sum of squares follows from the deviation s and the mean m of n calls: n (s^2 + m^2).
 */
export function statementTimesSql(schema: string): string {
  return `
SELECT queryid::text, pg_catalog.sum(calls)::float8, pg_catalog.sum(total_exec_time),
       pg_catalog.sum(calls * (stddev_exec_time ^ 2 + mean_exec_time ^ 2))
  FROM ${quoteIdentifier(schema)}.pg_stat_statements(false)
 WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
   AND queryid IS NOT NULL
 GROUP BY queryid
 ORDER BY 2 DESC
 LIMIT ${MOST_STATEMENTS}`;
}
