import { CHANGES_SCHEMA, RUN_SCHEMA } from '../../../postgres/own-schema.ts';

const own = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;
const noExtension = (catalog: string, oid: string): string => `NOT EXISTS (
     SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass AND d.objid = ${oid} AND d.deptype = 'e')`;

/**
 * Functions that run as their owner, and those in a language that reaches past the database; extensions' own aside, and this system's
 * event trigger, which nobody can call, and which reads the search path of the command, so that it has none of its own, and this system's
 * functions that create the logins of drills and change its own password, as long as nobody else can replace them or call them.
 */
export const functionsSql = `
SELECT pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS object,
       CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind,
       pg_catalog.quote_ident(n.nspname) AS schema, p.prosecdef AS definer, l.lanname AS language,
       l.lanname = 'c' OR (NOT l.lanpltrusted AND l.lanispl) AS untrusted,
       r.rolsuper AS owner_is_superuser, r.rolname AS owner,
       (SELECT pg_catalog.substr(c, 13) FROM pg_catalog.unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%') AS search_path,
       EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) e
                WHERE e.grantee = 0) AS public
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
 WHERE ${own} AND n.nspname <> '${CHANGES_SCHEMA}' AND (p.prosecdef OR l.lanname = 'c' OR NOT l.lanpltrusted AND l.lanispl) AND p.prokind IN ('f', 'p')
   AND ${noExtension('pg_proc', 'p.oid')}
   AND NOT (n.nspname = '${RUN_SCHEMA}' AND p.proname IN ('create_login', 'drop_login', 'change_password') AND n.nspowner = p.proowner
            AND p.proacl IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(p.proacl) e WHERE e.grantee = 0))
 ORDER BY 1
 LIMIT 2000`;

/** Languages whose functions may do what the server's operating system user may. */
export const languagesSql = `
SELECT l.lanname AS name, x.extname AS extension
  FROM pg_catalog.pg_language l
  LEFT JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_language'::pg_catalog.regclass AND d.objid = l.oid AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
 WHERE l.lanispl AND NOT l.lanpltrusted
 ORDER BY 1`;

/** Event triggers, with who owns what they run. */
export const eventTriggersSql = `
SELECT t.evtname AS name, t.evtenabled = 'D' AS disabled, o.rolname AS owner, f.rolname AS function_owner,
       f.rolsuper AS function_owner_is_superuser,
       pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS function
  FROM pg_catalog.pg_event_trigger t
  JOIN pg_catalog.pg_roles o ON o.oid = t.evtowner
  JOIN pg_catalog.pg_proc p ON p.oid = t.evtfoid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_roles f ON f.oid = p.proowner
 ORDER BY 1
 LIMIT 500`;

/** Triggers of tables that are turned off. */
export const disabledTriggersSql = `
SELECT t.tgname AS name, pg_catalog.format('%I.%I', n.nspname, c.relname) AS "table"
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE t.tgenabled = 'D' AND NOT t.tgisinternal AND ${own}
 ORDER BY 2, 1
 LIMIT 1000`;

/** Extensions with the version that the server would install now. */
export const extensionsSql = `
SELECT x.extname AS name, x.extversion AS installed, a.default_version AS available, n.nspname AS schema
  FROM pg_catalog.pg_extension x
  JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace
  LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = x.extname
 ORDER BY 1
 LIMIT 500`;
