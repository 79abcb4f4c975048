import { MEMBERSHIP_OPTIONS_SINCE } from '../../backup/restore/check.sql.ts';
import { CHANGES_SCHEMA, RUN_SCHEMA } from '../../postgres/own-schema.ts';
import { MAX_NAMED } from './rows.sql.ts';

/** The role that made the server. Its number is fixed, and pg_shdepend does not say what it owns. */
const BOOTSTRAP_ROLE = 10;
/** The first number of an object that a person made. */
const FIRST_NORMAL_OID = 16_384;

/**
 * Roles that own something in the database and that the login cannot make owners, or of whose objects it then has no rights. $1: the role
 * of administrators.
 */
export function foreignOwnersSql(version: number): string {
  const becomes = version >= MEMBERSHIP_OPTIONS_SINCE ? 'SET' : 'MEMBER';
  return `
WITH bootstrap AS (
  SELECT pg_catalog.count(*)::int AS objects
    FROM (SELECT 'pg_catalog.pg_class'::regclass AS classid, oid FROM pg_catalog.pg_class
           WHERE relowner = ${BOOTSTRAP_ROLE} AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
           UNION ALL
          SELECT 'pg_catalog.pg_proc'::regclass, oid FROM pg_catalog.pg_proc WHERE proowner = ${BOOTSTRAP_ROLE}
           UNION ALL
          SELECT 'pg_catalog.pg_namespace'::regclass, oid FROM pg_catalog.pg_namespace
           WHERE nspowner = ${BOOTSTRAP_ROLE} AND nspname !~ '^pg_(toast_)?temp_'
           UNION ALL
          SELECT 'pg_catalog.pg_largeobject_metadata'::regclass, oid FROM pg_catalog.pg_largeobject_metadata
           WHERE lomowner = ${BOOTSTRAP_ROLE}) o
   WHERE o.oid >= ${FIRST_NORMAL_OID}
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = o.classid AND d.objid = o.oid AND d.deptype IN ('e', 'i'))
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n
                      WHERE n.nspname IN ('${RUN_SCHEMA}', '${CHANGES_SCHEMA}')
                        AND (o.oid = n.oid OR o.oid IN (SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid)))
), owners AS (
  SELECT d.refobjid AS oid, pg_catalog.count(*)::int AS objects
    FROM pg_catalog.pg_shdepend d
    JOIN pg_catalog.pg_database db ON db.datname = pg_catalog.current_database()
   WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.deptype = 'o'
     AND (d.dbid = db.oid OR (d.dbid = 0 AND d.classid = 'pg_catalog.pg_database'::regclass AND d.objid = db.oid))
   GROUP BY d.refobjid
   UNION ALL
  SELECT ${BOOTSTRAP_ROLE}, objects FROM bootstrap WHERE objects > 0
)
SELECT r.rolname AS owner, o.objects,
       r.rolsuper OR coalesce(pg_catalog.pg_has_role(r.oid, admins.oid, 'MEMBER'), false) AS administers,
       ARRAY(SELECT g.rolname::text FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.member
              WHERE m.roleid = r.oid AND m.admin_option ORDER BY 1 LIMIT 5) AS granted_by,
       pg_catalog.count(*) OVER ()::int AS total
  FROM owners o
  JOIN pg_catalog.pg_roles r ON r.oid = o.oid
  LEFT JOIN pg_catalog.pg_roles admins ON admins.rolname = $1
 WHERE NOT pg_catalog.pg_has_role(r.oid, '${becomes}') OR NOT pg_catalog.pg_has_role(r.oid, 'USAGE')
 ORDER BY r.rolname
 LIMIT ${MAX_NAMED}`;
}

/** Extensions that one report looks at. */
const MAX_EXTENSIONS = 200;

/**
 * The extensions of the database. Whether anything outside of an extension depends on it decides what a restore loses without it.
 */
export const extensionsSql = `
WITH members AS (
  SELECT d.refobjid AS extension, d.classid, d.objid
    FROM pg_catalog.pg_depend d
   WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
), uses AS (
  SELECT m.extension,
         CASE d.classid WHEN 'pg_catalog.pg_rewrite'::regclass THEN 'pg_catalog.pg_class'::regclass
                        WHEN 'pg_catalog.pg_attrdef'::regclass THEN 'pg_catalog.pg_class'::regclass
                        ELSE d.classid END AS classid,
         CASE d.classid WHEN 'pg_catalog.pg_rewrite'::regclass THEN (SELECT w.ev_class FROM pg_catalog.pg_rewrite w WHERE w.oid = d.objid)
                        WHEN 'pg_catalog.pg_attrdef'::regclass THEN (SELECT a.adrelid FROM pg_catalog.pg_attrdef a WHERE a.oid = d.objid)
                        ELSE d.objid END AS objid
    FROM members m
    JOIN pg_catalog.pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid AND d.deptype IN ('n', 'a')
   WHERE d.classid IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_constraint'::regclass,
                       'pg_catalog.pg_trigger'::regclass, 'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_attrdef'::regclass)
)
SELECT e.extname AS name,
       a.name IS NOT NULL AS available,
       coalesce(v.superuser AND NOT v.trusted, false) AS needs_superuser,
       EXISTS (SELECT FROM uses u
                WHERE u.extension = e.oid
                  AND NOT EXISTS (SELECT FROM members m WHERE m.classid = u.classid AND m.objid = u.objid)) AS in_use
  FROM pg_catalog.pg_extension e
  LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = e.extname
  LEFT JOIN pg_catalog.pg_available_extension_versions v ON v.name = a.name AND v.version = a.default_version
 WHERE e.extname <> 'plpgsql'
 ORDER BY e.extname
 LIMIT ${MAX_EXTENSIONS}`;

/** Whether statements are counted in the database, and whether they could be. */
export const statementStatisticsSql = `
SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_stat_statements') AS present,
       EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'pg_stat_statements') AS available`;
