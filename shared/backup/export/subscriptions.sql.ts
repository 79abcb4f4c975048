/**
 * The subscriptions of the database, without their connections: these hold passwords, and only a superuser may read them. `superuser`
 * says whether the login is one.
 */
export const subscriptionsSql = `
SELECT s.subname AS name, s.subslotname AS slot, s.subpublications AS publications,
       pg_catalog.current_setting('is_superuser') = 'on' AS superuser
  FROM pg_catalog.pg_subscription s
  JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
 ORDER BY s.subname`;
