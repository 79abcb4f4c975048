import { RUN_SCHEMA as FUNCTIONS } from '../own-schema.ts';

/**
 * Whether the login (`l`) may call the functions. They, and the schema that they are in, must belong to a role that could create a login
 * itself, so that nobody else can have put other code in their place. null: there are none.
 */
export const trustedFunctionsSql = `(
  SELECT pg_catalog.count(*) = 2 AND pg_catalog.bool_and((f.rolsuper OR f.rolcreaterole) AND (s.rolsuper OR s.rolcreaterole))
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_roles f ON f.oid = p.proowner
    JOIN pg_catalog.pg_roles s ON s.oid = n.nspowner
   WHERE n.nspname = '${FUNCTIONS}' AND p.prosecdef AND p.proname IN ('create_login', 'drop_login')
     AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))`;

/** How the session may create a login. */
export const makerSql = `
SELECT l.rolname AS login, l.rolsuper AS superuser, l.rolcreaterole AS creates_roles,
       pg_catalog.current_setting('server_version_num')::int AS version,
       ${trustedFunctionsSql} AS trusted
  FROM pg_catalog.pg_roles l
 WHERE l.rolname = current_user`;

export const createByFunctionSql = `SELECT ${FUNCTIONS}.create_login($1::pg_catalog.text, $2::pg_catalog.text, $3::pg_catalog.timestamptz)`;
export const dropByFunctionSql = `SELECT ${FUNCTIONS}.drop_login($1::pg_catalog.text)`;

/** Logins of runs, each with whether its time is over by the server's clock. */
export const runLoginsSql = `
SELECT r.rolname AS name, coalesce(r.rolvaliduntil < pg_catalog.clock_timestamp(), false) AS expired
  FROM pg_catalog.pg_roles r
 WHERE r.rolname ~ '^dbms_run_[0-9a-hjkmnp-tv-z]{26}$'`;

/** The end of the time for which a login made now is valid. $1: in days. */
export const validUntilSql =
  'SELECT (pg_catalog.clock_timestamp() + pg_catalog.make_interval(days => $1::int))::text AS until';
