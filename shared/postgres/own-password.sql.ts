import { RUN_SCHEMA } from './own-schema.ts';

/** Whether the server refuses a login (an alias of pg_roles) to change its own password. */
export const isRefusedItsPasswordSql = (login: string): string =>
  `(${login}.rolreplication AND NOT ${login}.rolsuper AND pg_catalog.current_setting('server_version_num')::int < 160000)`;

/**
 * Whether the login may call the function of docs/logins/self-managed.sql that changes it. It, and the schema that it is in, must belong to a
 * superuser, so that nobody else can have put other code in its place.
 */
export const trustedChangeSql = `EXISTS (
  SELECT FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_roles f ON f.oid = p.proowner
    JOIN pg_catalog.pg_roles s ON s.oid = n.nspowner
   WHERE n.nspname = '${RUN_SCHEMA}' AND p.proname = 'change_password' AND p.prosecdef AND f.rolsuper AND s.rolsuper
     AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))`;

export const howToChangeSql = `
SELECT ${isRefusedItsPasswordSql('l')} AS refused, ${trustedChangeSql} AS trusted
  FROM pg_catalog.pg_roles l
 WHERE l.rolname = current_user`;

export const changeByFunctionSql = `SELECT ${RUN_SCHEMA}.change_password($1::pg_catalog.text)`;
