import { CHANGES_SCHEMA } from '../../postgres/own-schema.ts';

/**
 * Tables whose rows a backup holds: ordinary tables and leaves of partitioned ones, and extension tables that their extension
 * registered as configuration (`pg_extension_config_dump`), with its condition. What pg_dump leaves out is left out: system
 * schemas, temporary and foreign tables, other tables of extensions.
 */
export const tablesSql = `
SELECT c.oid::int8::text AS oid,
       n.nspname AS schema,
       c.relname AS name,
       c.relpersistence AS persistence,
       coalesce(am.amname, 'heap') = 'heap' AS heap,
       pg_catalog.pg_relation_size(c.oid)::text AS heap_bytes,
       pg_catalog.pg_table_size(c.oid)::text AS table_bytes,
       c.reltuples::float8 AS estimated_rows,
       config.condition AS condition,
       CASE WHEN c.relispartition THEN (
         SELECT pg_catalog.json_build_object('schema', rn.nspname, 'name', r.relname)
           FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
          WHERE r.oid = pg_catalog.pg_partition_root(c.oid)
       ) END AS root,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS readable,
       c.relrowsecurity AND pg_catalog.row_security_active(c.oid) AS hidden,
       config.extension,
       coalesce((
         SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
           FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
       ), '{}') AS columns,
       EXISTS (
         SELECT FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       ) AS has_columns
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
  LEFT JOIN LATERAL (
    SELECT e.extname AS extension, e.extcondition[pg_catalog.array_position(e.extconfig, c.oid)] AS condition
      FROM pg_catalog.pg_extension e
     WHERE c.oid = ANY (e.extconfig)
     LIMIT 1
  ) config ON true
 WHERE c.relkind = 'r'
   AND c.relpersistence IN ('p', 'u')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname NOT LIKE 'pg\\_toast%'
   AND n.nspname NOT LIKE 'pg\\_temp\\_%'
   AND (config.condition IS NOT NULL OR NOT EXISTS (
         SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
            AND d.refclassid = 'pg_catalog.pg_extension'::regclass))
 ORDER BY n.nspname, c.relname`;

/** Sequences whose position a backup holds; of those of extensions, what the extension registered and the login may read. */
export const sequencesSql = `
SELECT n.nspname AS schema, c.relname AS name
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S'
   AND c.relpersistence IN ('p', 'u')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
            AND NOT (EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig))
                     AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
                     AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')))
 ORDER BY n.nspname, c.relname`;

/** Materialized views with content, but for this system's own, in an order in which each can be refreshed: creation order by number. */
export const populatedMaterializedViewsSql = `
SELECT c.oid::int8::text AS oid, n.nspname AS schema, c.relname AS name
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'm' AND c.relispopulated AND n.nspname <> '${CHANGES_SCHEMA}'
 ORDER BY c.oid`;

/** The database itself: what CREATE DATABASE and ALTER DATABASE need. Its locale columns differ between versions. */
export function databaseSql(serverVersion: number): string {
  const locale = serverVersion >= 170_000 ? 'd.datlocale' : serverVersion >= 150_000 ? 'd.daticulocale' : 'NULL::text';
  const provider = serverVersion >= 150_000 ? 'd.datlocprovider' : "'c'";
  const icuRules = serverVersion >= 160_000 ? 'd.daticurules' : 'NULL::text';
  return `
SELECT d.datname AS name,
       pg_catalog.pg_get_userbyid(d.datdba) AS owner,
       pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
       d.datcollate AS collate,
       d.datctype AS ctype,
       ${provider} AS locale_provider,
       ${locale} AS locale,
       ${icuRules} AS icu_rules,
       d.datconnlimit AS connection_limit,
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
       coalesce((
         SELECT pg_catalog.array_agg(pg_catalog.json_build_object('role', r.rolname, 'setting', setting))
           FROM pg_catalog.pg_db_role_setting s
           CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS setting
           LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
          WHERE s.setdatabase = d.oid
       ), '{}') AS settings,
       coalesce((
         SELECT pg_catalog.array_agg(pg_catalog.json_build_object(
                  'grantee', CASE WHEN acl.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(acl.grantee) END,
                  'privilege', acl.privilege_type, 'grantable', acl.is_grantable))
           FROM pg_catalog.aclexplode(d.datacl) acl
       ), '{}') AS privileges,
       d.datacl IS NOT NULL AS has_privileges
  FROM pg_catalog.pg_database d
 WHERE d.datname = pg_catalog.current_database()`;
}

export const snapshotSql = `
SELECT pg_catalog.pg_export_snapshot() AS snapshot_id,
       pg_catalog.pg_current_snapshot()::text AS transactions,
       pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS taken_at,
       pg_catalog.current_setting('server_version_num')::int AS server_version,
       pg_catalog.current_setting('block_size')::int AS block_size`;

/** Whether the login may read a large object (`m`). */
export const largeObjectReadableSql = `(pg_catalog.current_setting('lo_compat_privileges') = 'on'
         OR pg_catalog.pg_has_role(m.lomowner, 'USAGE')
         OR EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) a
                     WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE'))))`;

/** Large objects the login may read, with what restores them exactly. */
export const largeObjectsSql = `
SELECT m.oid::int8::text AS oid,
       ${largeObjectReadableSql} AS readable,
       pg_catalog.pg_get_userbyid(m.lomowner) AS owner,
       pg_catalog.obj_description(m.oid, 'pg_largeobject') AS comment,
       m.lomacl IS NOT NULL AS has_privileges,
       coalesce((
         SELECT pg_catalog.array_agg(pg_catalog.json_build_object(
                  'grantee', CASE WHEN acl.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(acl.grantee) END,
                  'privilege', acl.privilege_type, 'grantable', acl.is_grantable))
           FROM pg_catalog.aclexplode(m.lomacl) acl
       ), '{}') AS privileges
  FROM pg_catalog.pg_largeobject_metadata m
 ORDER BY m.oid`;

/**
 * Roles that own something in the database or that its privileges and policies name, and the roles that these are members of,
 * with their memberships and their settings. The server's own roles (`pg_...`) are not followed.
 */
export const referencedRolesSql = `
WITH RECURSIVE concerned AS (
  SELECT d.refobjid AS oid
    FROM pg_catalog.pg_shdepend d
    JOIN pg_catalog.pg_database db ON db.datname = pg_catalog.current_database()
   WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass
     AND (d.dbid = db.oid OR (d.dbid = 0 AND d.classid = 'pg_catalog.pg_database'::regclass AND d.objid = db.oid))
   UNION
  SELECT m.roleid
    FROM concerned c
    JOIN pg_catalog.pg_auth_members m ON m.member = c.oid
    JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
   WHERE g.rolname NOT LIKE 'pg\\_%'
)
SELECT r.rolname AS name,
       coalesce(r.rolconfig, '{}') AS settings,
       coalesce((
         SELECT pg_catalog.array_agg(pg_catalog.json_build_object('role', g.rolname, 'admin', m.admin) ORDER BY g.rolname)
           FROM (SELECT roleid, pg_catalog.bool_or(admin_option) AS admin
                   FROM pg_catalog.pg_auth_members WHERE member = r.oid GROUP BY roleid) m
           JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
       ), '{}') AS member_of
  FROM concerned
  JOIN pg_catalog.pg_roles r ON r.oid = concerned.oid
 ORDER BY r.rolname`;
