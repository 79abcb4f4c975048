import { CHANGES_SCHEMA } from '../../postgres/own-schema.ts';

/**
 * Functions of a database that run as rows come into it, with what calls them: those that tables ($1: schemas, $2: names) and their partitions depend
 * on in constraints, domains, generated columns, keys and indexes, or ($3) the types of their columns alone; triggers that the login does not turn
 * off ($4); and event triggers, which fire for what a restore creates beside. What extensions brought is the server's own.
 */
export const targetFunctionsSql = `
WITH RECURSIVE given AS (
  SELECT c.oid FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS wanted(schema, name)
    JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
  UNION
  SELECT i.inhrelid FROM given g JOIN pg_catalog.pg_inherits i ON i.inhparent = g.oid
), edges AS (
  -- What an object is made of ...
  SELECT d.classid, d.objid, d.refclassid AS to_class, d.refobjid AS to_object
    FROM pg_catalog.pg_depend d
   WHERE d.refclassid IN ('pg_catalog.pg_type'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass,
                          'pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass)
      OR (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.classid = 'pg_catalog.pg_type'::regclass)
  UNION ALL
  -- ... and what belongs to it.
  SELECT d.refclassid, d.refobjid, d.classid, d.objid
    FROM pg_catalog.pg_depend d
   WHERE d.classid IN ('pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_attrdef'::regclass,
                       'pg_catalog.pg_statistic_ext'::regclass, 'pg_catalog.pg_amproc'::regclass, 'pg_catalog.pg_amop'::regclass)
     AND d.deptype IN ('a', 'i', 'P', 'S') AND d.refclassid <> 'pg_catalog.pg_namespace'::regclass
  UNION ALL
  SELECT d.refclassid, d.refobjid, d.classid, d.objid
    FROM pg_catalog.pg_depend d
   WHERE d.classid = 'pg_catalog.pg_opclass'::regclass AND d.refclassid = 'pg_catalog.pg_type'::regclass
), reached (class, object) AS (
  SELECT 'pg_catalog.pg_class'::regclass::oid, g.oid FROM given g WHERE NOT $3::bool
  UNION
  SELECT 'pg_catalog.pg_type'::regclass::oid, a.atttypid
    FROM given g JOIN pg_catalog.pg_attribute a ON a.attrelid = g.oid AND a.attnum > 0 AND NOT a.attisdropped
  UNION
  SELECT e.to_class, e.to_object
    FROM reached r
    JOIN edges e ON e.classid = r.class AND e.objid = r.object
   WHERE r.class <> 'pg_catalog.pg_proc'::regclass AND e.to_object >= 16384
), calls (function, caller) AS (
  SELECT e.to_object, pg_catalog.pg_describe_object(e.classid, e.objid, 0)
    FROM reached r
    JOIN edges e ON e.classid = r.class AND e.objid = r.object
   WHERE e.to_class = 'pg_catalog.pg_proc'::regclass
  UNION
  SELECT t.tgfoid, pg_catalog.pg_describe_object('pg_catalog.pg_trigger'::regclass, t.oid, 0)
    FROM given g
    JOIN pg_catalog.pg_class c ON c.oid = g.oid
    JOIN pg_catalog.pg_trigger t ON t.tgrelid = g.oid
   WHERE $4::bool AND NOT $3::bool AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
  UNION
  SELECT t.evtfoid, pg_catalog.pg_describe_object('pg_catalog.pg_event_trigger'::regclass, t.oid, 0)
    FROM pg_catalog.pg_event_trigger t
   WHERE t.evtenabled IN ('O', 'A') AND t.evtevent <> 'login'
)
SELECT pg_catalog.replace(p.oid::regprocedure::text, ',', ', ') AS name, pg_catalog.pg_get_userbyid(p.proowner)::text AS owner,
       pg_catalog.array_agg(c.caller ORDER BY c.caller) AS used_by
  FROM calls c
  JOIN pg_catalog.pg_proc p ON p.oid = c.function
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE p.oid >= 16384 AND n.nspname <> '${CHANGES_SCHEMA}'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
 GROUP BY p.oid, p.proowner
 ORDER BY 1`;
