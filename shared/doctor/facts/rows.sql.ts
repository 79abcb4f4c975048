import { largeObjectReadableSql, sequencesSql, tablesSql } from '../../backup/plan/relations.sql.ts';

/** Names of one kind that are told; of more there is a number. */
export const MAX_NAMED = 20;

/** What a backup reads and the login may not: the first of many, each with the number of all. */
export const unreadableSql = `
WITH wanted AS (
  SELECT 'table' AS kind, t.schema, t.name, t.readable FROM (${tablesSql}) t
  UNION ALL
  SELECT 'table', n.nspname, c.relname, pg_catalog.has_table_privilege(c.oid, 'SELECT')
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  UNION ALL
  SELECT 'sequence', s.schema, s.name, pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
    FROM (${sequencesSql}) s
    JOIN pg_catalog.pg_namespace n ON n.nspname = s.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.name
), refused AS (
  SELECT w.kind, w.schema, w.name FROM wanted w WHERE NOT w.readable
  UNION
  SELECT 'schema', w.schema, NULL FROM wanted w WHERE NOT pg_catalog.has_schema_privilege(w.schema, 'USAGE')
)
SELECT r.kind, r.schema, r.name, pg_catalog.count(*) OVER ()::int AS total
  FROM refused r
 ORDER BY r.kind, r.schema, r.name
 LIMIT ${MAX_NAMED}`;

/** Tables whose rows a policy hides from the login, as the server itself decides it. $1: the role of administrators. */
export const hiddenRowsSql = `
SELECT t.schema, t.name, o.rolname AS owner, c.relforcerowsecurity AS forced,
       o.rolsuper OR coalesce(pg_catalog.pg_has_role(o.oid, admins.oid, 'MEMBER'), false) AS owner_administers,
       pg_catalog.pg_has_role(o.oid, 'USAGE') AS owned,
       pg_catalog.count(*) OVER ()::int AS total
  FROM (${tablesSql}) t
  JOIN pg_catalog.pg_class c ON c.oid = t.oid::oid
  JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
  LEFT JOIN pg_catalog.pg_roles admins ON admins.rolname = $1
 WHERE c.relrowsecurity AND pg_catalog.row_security_active(c.oid)
 ORDER BY t.schema, t.name
 LIMIT ${MAX_NAMED}`;

/** Owners of large objects that the login may not read. $1: the role of administrators. */
export const largeObjectsSql = `
SELECT o.rolname AS owner,
       o.rolsuper OR coalesce(pg_catalog.bool_or(pg_catalog.pg_has_role(o.oid, admins.oid, 'MEMBER')), false) AS owner_administers,
       pg_catalog.count(*)::int AS objects
  FROM pg_catalog.pg_largeobject_metadata m
  JOIN pg_catalog.pg_roles o ON o.oid = m.lomowner
  LEFT JOIN pg_catalog.pg_roles admins ON admins.rolname = $1
 WHERE NOT ${largeObjectReadableSql}
 GROUP BY o.rolname, o.rolsuper
 ORDER BY o.rolname
 LIMIT ${MAX_NAMED}`;
