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
 * The definitions of what stands around the rows, one line for each object; what this system puts into a
 * database for itself is in no copy, and what an extension is made of is told by its version.
 */
export const definitions = `
WITH own AS (
  SELECT oid FROM pg_namespace
  WHERE nspname NOT IN ('pg_catalog', 'information_schema', '${CHANGES_SCHEMA}', '${RUN_SCHEMA}') AND nspname NOT LIKE 'pg\\_%'
), extensions_own AS (
  SELECT c.oid FROM pg_class c
   WHERE EXISTS (SELECT FROM pg_depend d
                  WHERE d.deptype = 'e' AND (d.classid, d.objid) IN (('pg_class'::regclass, c.oid), ('pg_type'::regclass, c.reltype)))
)
SELECT 'column' AS kind, format('%I.%I.%I', c.relnamespace::regnamespace, c.relname, a.attname) AS name,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                 pg_get_expr(d.adbin, d.adrelid)) AS definition
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace IN (SELECT oid FROM own) AND c.relkind NOT IN ('i', 'I', 'S') AND a.attnum > 0 AND NOT a.attisdropped
  AND c.oid NOT IN (SELECT oid FROM extensions_own)
UNION ALL
SELECT 'constraint', format('%s on %s', conname, CASE WHEN conrelid = 0 THEN contypid::regtype::text ELSE conrelid::regclass::text END),
       pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace IN (SELECT oid FROM own) AND conrelid NOT IN (SELECT oid FROM extensions_own)
UNION ALL
SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)
FROM pg_index JOIN pg_class c ON c.oid = indexrelid
WHERE c.relnamespace IN (SELECT oid FROM own) AND indrelid NOT IN (SELECT oid FROM extensions_own)
UNION ALL
SELECT 'view', oid::regclass::text, pg_get_viewdef(oid)
FROM pg_class
WHERE relkind IN ('v', 'm') AND relnamespace IN (SELECT oid FROM own) AND oid NOT IN (SELECT oid FROM extensions_own)
UNION ALL
SELECT 'routine', oid::regprocedure::text, pg_get_functiondef(oid)
FROM pg_proc WHERE prokind IN ('f', 'p') AND pronamespace IN (SELECT oid FROM own)
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
UNION ALL
SELECT 'trigger', format('%s on %s', tgname, tgrelid::regclass), pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
WHERE NOT tgisinternal AND c.relnamespace IN (SELECT oid FROM own)
UNION ALL
SELECT 'rule', format('%s on %s', rulename, ev_class::regclass), pg_get_ruledef(r.oid)
FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class
WHERE rulename <> '_RETURN' AND c.relnamespace IN (SELECT oid FROM own) AND c.oid NOT IN (SELECT oid FROM extensions_own)
UNION ALL
SELECT 'policy', format('%s on %s', polname, polrelid::regclass),
       concat_ws(' ', polcmd, polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid),
                 (SELECT string_agg(role::regrole::text, ', ' ORDER BY role::regrole::text) FROM unnest(polroles) AS role))
FROM pg_policy JOIN pg_class c ON c.oid = polrelid
WHERE c.relnamespace IN (SELECT oid FROM own) AND c.oid NOT IN (SELECT oid FROM extensions_own)
UNION ALL
SELECT 'row security', oid::regclass::text, CASE WHEN relforcerowsecurity THEN 'forced' ELSE 'on' END
FROM pg_class
WHERE relrowsecurity AND relnamespace IN (SELECT oid FROM own) AND oid NOT IN (SELECT oid FROM extensions_own)
UNION ALL
SELECT 'parent', format('%s of %s', inhrelid::regclass, inhparent::regclass), pg_get_expr(c.relpartbound, c.oid)
FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
WHERE c.relkind NOT IN ('i', 'I') AND c.relnamespace IN (SELECT oid FROM own)
UNION ALL
SELECT 'enum', oid::regtype::text, (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
FROM pg_type t WHERE typtype = 'e' AND typnamespace IN (SELECT oid FROM own)
UNION ALL
SELECT 'domain', oid::regtype::text, concat_ws(' ', format_type(typbasetype, typtypmod), typnotnull, typdefault)
FROM pg_type WHERE typtype = 'd' AND typnamespace IN (SELECT oid FROM own)
UNION ALL
SELECT 'statistics', format('%I.%I', stxnamespace::regnamespace, stxname), pg_get_statisticsobjdef(oid)
FROM pg_statistic_ext WHERE stxnamespace IN (SELECT oid FROM own)
UNION ALL
SELECT 'extension', extname, extversion FROM pg_extension
ORDER BY 1, 2`;
