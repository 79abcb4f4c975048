import { rightsSql } from '../definitions/rights.sql.ts';

/**
 * The login, and a role ($1): rights of either that reach beyond its own objects, null for a role that is not there, and whether the
 * login is a member of it.
 */
export const executorsSql = `
SELECT current_user::text AS login, ${rightsSql('current_user')} AS login_rights, ${rightsSql('$1::name')} AS role_rights,
       coalesce((SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = $1::name), false) AS is_member`;

/** Settings that any role can change in its session. */
export const ownSettingsSql = `
SELECT name, pg_catalog.current_setting(name) AS value FROM pg_catalog.pg_settings WHERE context = 'user'`;

/** Gives settings (names and values in pairs) the values that they had; those that have them stay as they are. */
export const restoreSettingsSql = `
SELECT pg_catalog.count(pg_catalog.set_config(given.name, given.value, false))
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS given(name, value)
 WHERE pg_catalog.current_setting(given.name) IS DISTINCT FROM given.value`;

/** Nobody's operators but PostgreSQL's, and no temporary object in the place of one of its own. */
export const ownPathSql = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)";

/** Gives a setting ($1) a value ($2) for the transaction, where the server has such a setting: an older one lacks some. */
export const setKnownSql = `
SELECT pg_catalog.set_config(name, $2, true) FROM pg_catalog.pg_settings WHERE name = $1`;
