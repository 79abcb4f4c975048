/**
 * The tables of the given names (`$1` schemas, `$2` names), each with all that inherit from it, partitions among them, itself first.
 * Views and foreign tables have no rows that a backup would hold.
 */
export const familiesSql = `
WITH RECURSIVE family AS (
  SELECT given.place, c.oid AS root, c.oid, 0 AS depth
    FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH ORDINALITY AS given(schema, name, place)
    JOIN pg_catalog.pg_namespace n ON n.nspname = given.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = given.name
   WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   UNION
  SELECT f.place, f.root, i.inhrelid, f.depth + 1
    FROM family f
    JOIN pg_catalog.pg_inherits i ON i.inhparent = f.oid
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p')
)
SELECT f.place::int - 1 AS place,
       c.relispartition AS is_partition,
       pg_catalog.array_agg(DISTINCT f.oid::int8::text) AS members,
       c.oid::int8::text AS oid
  FROM family f
  JOIN pg_catalog.pg_class c ON c.oid = f.root
 GROUP BY f.place, c.oid, c.relispartition
 ORDER BY f.place`;

/** Columns of the given tables (`$1`), with what they are made of below their domains, and what depends on them. */
export const columnsSql = `
SELECT a.attrelid::int8::text AS "table",
       n.nspname AS schema,
       c.relname AS name,
       a.attname AS column,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
       -- What values are tried as: only a type of the server's own is read by the server's own code.
       CASE WHEN base.array_of < 16384 THEN pg_catalog.format_type(base.array_of, base.modifier)
            WHEN base.name = 'citext' THEN 'pg_catalog.text' END AS own_type,
       ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = base.array_of) AS labels,
       coalesce(
         (WITH RECURSIVE layer AS (
            SELECT a.atttypid AS oid
             UNION ALL
            SELECT t.typbasetype FROM layer JOIN pg_catalog.pg_type t ON t.oid = layer.oid WHERE t.typtype = 'd'
          )
          SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                   'name', k.conname, 'expression', pg_catalog.pg_get_expr(k.conbin, 0), 'tree', k.conbin::text))
            FROM layer JOIN pg_catalog.pg_constraint k ON k.contypid = layer.oid AND k.contype = 'c'),
         '[]') AS domain_checks,
       base.name AS base_name,
       base.schema AS base_schema,
       base.modifier AS modifier,
       pg_catalog.to_json(element) AS element,
       NOT (a.attnotnull OR base.strict) AS is_nullable,
       coalesce(NOT l.collisdeterministic, false) AS ignores_case,
       a.attgenerated <> '' AS is_generated,
       coalesce(a.attnum = ANY (p.partattrs::int2[]), false) OR EXISTS (
         SELECT FROM pg_catalog.pg_depend d
          WHERE p.partrelid IS NOT NULL AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = a.attrelid
            AND d.objsubid = a.attnum AND d.refclassid = d.classid AND d.refobjid = a.attrelid AND d.refobjsubid = 0
            AND d.deptype = 'i'
       ) AS is_partition_key,
       ARRAY(
         SELECT g.attname::text
           FROM pg_catalog.pg_depend d
           JOIN pg_catalog.pg_attrdef e ON e.oid = d.objid
           JOIN pg_catalog.pg_attribute g ON g.attrelid = e.adrelid AND g.attnum = e.adnum AND g.attgenerated <> ''
          WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
          UNION
         -- Until PostgreSQL 14 the column itself depends on what it is made of, not its expression.
         SELECT g.attname::text
           FROM pg_catalog.pg_depend d
           JOIN pg_catalog.pg_attribute g ON g.attrelid = d.objid AND g.attnum = d.objsubid AND g.attgenerated <> ''
          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = a.attrelid
            AND d.refclassid = d.classid AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
       ) AS generates,
       coalesce(pg_catalog.pg_get_expr(own.adbin, own.adrelid) LIKE '%''%' AND a.attgenerated = '', false) AS default_has_text
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
  LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = a.attrelid
  LEFT JOIN pg_catalog.pg_attrdef own ON own.adrelid = a.attrelid AND own.adnum = a.attnum
  CROSS JOIN LATERAL (
    WITH RECURSIVE layer AS (
      SELECT a.atttypid AS oid, a.atttypmod AS modifier, false AS strict
       UNION ALL
      SELECT t.typbasetype, t.typtypmod, layer.strict OR t.typnotnull
        FROM layer JOIN pg_catalog.pg_type t ON t.oid = layer.oid
       WHERE t.typtype = 'd'
    )
    SELECT t.typname AS name, tn.nspname AS schema, layer.modifier, layer.strict, t.oid AS array_of
      FROM layer
      JOIN pg_catalog.pg_type t ON t.oid = layer.oid AND t.typtype <> 'd'
      JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
  ) base
  LEFT JOIN LATERAL (
    WITH RECURSIVE layer AS (
      SELECT e.oid, base.modifier AS modifier FROM pg_catalog.pg_type e WHERE e.typarray = base.array_of
       UNION ALL
      SELECT t.typbasetype, t.typtypmod FROM layer JOIN pg_catalog.pg_type t ON t.oid = layer.oid WHERE t.typtype = 'd'
    )
    SELECT t.typname AS name, tn.nspname AS schema, layer.modifier
      FROM layer
      JOIN pg_catalog.pg_type t ON t.oid = layer.oid AND t.typtype <> 'd'
      JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
  ) element ON true
 WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum`;

/** Unique indexes and exclusion constraints of the given tables (`$1`). `others`: columns of expressions and of the condition. */
export const keysSql = `
SELECT i.indrelid::int8::text AS "table",
       c.relname AS name,
       i.indisexclusion AS is_exclusion,
       coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_are_equal,
       i.indpred IS NOT NULL AS has_condition,
       ARRAY(
         SELECT a.attname::text
           FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
           JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
          WHERE k.place <= i.indnkeyatts
       ) AS columns,
       ARRAY(
         SELECT pg_catalog.pg_get_indexdef(i.indexrelid, k.place::int, false)
           FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
          WHERE k.attnum = 0
       ) AS expressions,
       ARRAY(
         SELECT DISTINCT a.attname::text
           FROM pg_catalog.pg_depend d
           JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
          WHERE (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL)
            AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
            AND d.refclassid = d.classid AND d.refobjid = i.indrelid AND d.refobjsubid > 0
            AND a.attnum <> ALL (i.indkey::int2[])
       ) AS others
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = ANY ($1::oid[]) AND (i.indisunique OR i.indisexclusion) AND i.indisvalid`;

/** Foreign keys from or to the given tables (`$1`), with the pairs of their columns. */
export const foreignKeysSql = `
SELECT k.conname AS name,
       k.confmatchtype = 'f' AS is_full,
       k.conrelid::int8::text AS "from",
       k.confrelid::int8::text AS "to",
       fn.nspname AS from_schema, f.relname AS from_name,
       tn.nspname AS to_schema, t.relname AS to_name,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.place) AS from_columns,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS u(attnum, place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.place) AS to_columns
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class f ON f.oid = k.conrelid
  JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
  JOIN pg_catalog.pg_class t ON t.oid = k.confrelid
  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
 WHERE k.contype = 'f' AND (k.conrelid = ANY ($1::oid[]) OR k.confrelid = ANY ($1::oid[]))`;

/** CHECK constraints of the given tables (`$1`) that every row has passed. */
export const checksSql = `
SELECT k.conrelid::int8::text AS "table",
       k.conname AS name,
       pg_catalog.pg_get_expr(k.conbin, k.conrelid) AS expression,
       k.conbin::text AS tree,
       k.coninhcount > 0 AS is_inherited,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) AS u(attnum)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum) AS columns
  FROM pg_catalog.pg_constraint k
 WHERE k.contype = 'c' AND k.convalidated AND k.conrelid = ANY ($1::oid[])`;
