/** Relations by name, with the partitioned table above each partition. */
export const namedRelationsSql = `
SELECT wanted.number::int - 1 AS number, c.oid::int8::text AS oid,
       CASE WHEN c.relispartition THEN pg_catalog.pg_partition_root(c.oid)::oid::int8::text END AS root
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH ORDINALITY AS wanted(schema, name, number)
  JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name`;

/**
 * What there is to know of relations that are to take rows. `members` are the relations of a partitioned table, itself among them;
 * `only_tables` says that its partitions are all tables, none of them foreign.
 */
export const relationsSql = `
SELECT c.oid::int8::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS reachable,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable,
       pg_catalog.has_table_privilege(c.oid, 'TRUNCATE') AS truncatable,
       pg_catalog.has_table_privilege(c.oid, 'DELETE') AS deletable,
       pg_catalog.row_security_active(c.oid) AS row_security,
       CASE WHEN c.relkind = 'p' THEN ARRAY(SELECT relid::oid::int8::text FROM pg_catalog.pg_partition_tree(c.oid))
            ELSE ARRAY[c.oid::int8::text] END AS members,
       NOT EXISTS (
         SELECT FROM pg_catalog.pg_partition_tree(c.oid) p JOIN pg_catalog.pg_class m ON m.oid = p.relid
          WHERE p.isleaf AND m.relkind NOT IN ('r', 'p')
       ) AS only_tables,
       ARRAY(
         SELECT pg_catalog.json_build_object(
                  'name', a.attname,
                  'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
                  'base', CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END,
                  'generated', a.attgenerated <> '',
                  'insertable', pg_catalog.has_column_privilege(c.oid, a.attnum, 'INSERT'),
                  'required', (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull))
                              AND NOT a.atthasdef AND a.attidentity = '' AND t.typdefault IS NULL)
           FROM pg_catalog.pg_attribute a
           JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
          ORDER BY a.attnum
       ) AS columns
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = ANY ($1::oid[])`;

/** Constraints of tables that refuse new rows though rows that were there may break them. */
export const notValidConstraintsSql = `
SELECT con.conname AS name, con.conrelid::int8::text AS relation, con.contype AS type
  FROM pg_catalog.pg_constraint con
 WHERE con.conrelid = ANY ($1::oid[]) AND con.contype IN ('c', 'f', 'n') AND NOT con.convalidated
   AND coalesce((pg_catalog.to_jsonb(con) ->> 'conenforced')::bool, true)`;

/**
 * User triggers that are not off. `on_insert` ones may fire when rows are loaded, others when they are taken back. Before version
 * 15 a trigger that a partition has from its table above counts as internal.
 */
export const triggersSql = `
SELECT t.tgrelid::int8::text AS relation, n.nspname AS schema, c.relname AS table, t.tgname AS name, t.tgenabled AS enabled,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned, t.tgtype & 4 <> 0 AS on_insert
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE t.tgrelid = ANY ($1::oid[]) AND t.tgenabled <> 'D'
   AND (NOT t.tgisinternal OR (t.tgparentid <> 0 AND t.tgconstraint = 0))
 ORDER BY n.nspname, c.relname, t.tgname`;

/**
 * Sequences that are there, with where they stand, and those that columns of the given tables count with: identity columns,
 * owned sequences, and defaults that name one.
 */
export const sequencesSql = `
SELECT n.nspname AS schema, c.relname AS name, s.seqincrement > 0 AS ascending,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
         AND pg_catalog.has_sequence_privilege(c.oid, 'UPDATE') AS settable,
       EXISTS (
         SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
            AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.refobjid = ANY ($1::oid[])
       ) OR EXISTS (
         SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
          WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass AND f.adrelid = ANY ($1::oid[])
            AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid
       ) AS counting
  FROM pg_catalog.pg_sequence s
  JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relpersistence <> 't'`;

export const takenLargeObjectsSql = `
SELECT oid::int8::text AS oid FROM pg_catalog.pg_largeobject_metadata WHERE oid = ANY ($1::oid[]) ORDER BY pg_largeobject_metadata.oid`;

export const materializedViewsSql = `
SELECT n.nspname AS schema, c.relname AS name, c.relispopulated AS filled
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'm'`;
