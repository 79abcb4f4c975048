import { CHANGES_SCHEMA, RUN_SCHEMA } from '../../shared/postgres/own-schema.ts';

/**
 * Every relation that holds rows of its own, with its name as SQL writes it. A materialized view holds what others held when
 * it was refreshed: a restore refreshes it anew, as pg_restore does.
 */
export const relationsWithRows = `
SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relkind = 'S' AS is_sequence
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', '${CHANGES_SCHEMA}') AND n.nspname NOT LIKE 'pg\\_toast%'
ORDER BY 1`;

/** Rows of one relation, and a sum over all of them that does not depend on their order. */
export const rowsOf = (name: string): string =>
  `SELECT count(*)::text AS rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text AS sum FROM ONLY ${name} t`;

export const positionOf = (name: string): string => `SELECT last_value::text || ' ' || is_called AS sum FROM ${name}`;

/**
 * The definitions of what stands around the rows, one line for each object. What an extension brings belongs to the extension, and what
 * this system has put there is copied by no restore.
 */
export const definitions = `
WITH of_extensions AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
own AS (
  SELECT oid FROM pg_namespace
  WHERE nspname NOT IN ('pg_catalog', 'information_schema', '${CHANGES_SCHEMA}', '${RUN_SCHEMA}') AND nspname NOT LIKE 'pg\\_%'
)
SELECT 'column' AS kind, format('%I.%I.%I', c.relnamespace::regnamespace, c.relname, a.attname) AS name,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                 pg_get_expr(d.adbin, d.adrelid)) AS definition
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace IN (SELECT oid FROM own) AND c.relkind NOT IN ('i', 'I', 'S') AND a.attnum > 0 AND NOT a.attisdropped
  AND NOT EXISTS (SELECT FROM of_extensions WHERE classid = 'pg_class'::regclass AND objid = c.oid)
UNION ALL
SELECT 'constraint', format('%s on %s', conname, CASE WHEN conrelid = 0 THEN contypid::regtype::text ELSE conrelid::regclass::text END),
       pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace IN (SELECT oid FROM own)
UNION ALL
SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)
FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE c.relnamespace IN (SELECT oid FROM own)
UNION ALL
SELECT 'view', oid::regclass::text, pg_get_viewdef(oid)
FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace IN (SELECT oid FROM own)
  AND NOT EXISTS (SELECT FROM of_extensions WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid)
UNION ALL
SELECT 'routine', oid::regprocedure::text, pg_get_functiondef(oid)
FROM pg_proc WHERE prokind IN ('f', 'p') AND pronamespace IN (SELECT oid FROM own)
  AND NOT EXISTS (SELECT FROM of_extensions WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid)
UNION ALL
SELECT 'trigger', format('%s on %s', tgname, tgrelid::regclass), pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
WHERE NOT tgisinternal AND c.relnamespace IN (SELECT oid FROM own)
UNION ALL
SELECT 'extension', extname, extversion FROM pg_extension
ORDER BY 1, 2`;
