/** Expressions that the server simplifies as it plans a statement on a table: of indexes, statistics (from 14 on) and partition keys. */
export const planningExpressionsSql = (version: number): string => `
SELECT i.indrelid::int8::text AS relation, pg_catalog.format('index %s', i.indexrelid::regclass) AS what,
       pg_catalog.concat(i.indexprs::text, ' ', i.indpred::text) AS tree
  FROM pg_catalog.pg_index i
 WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
UNION ALL
SELECT p.partrelid::int8::text, 'partition key', p.partexprs::text
  FROM pg_catalog.pg_partitioned_table p
 WHERE p.partexprs IS NOT NULL${
   version >= 140_000
     ? `
UNION ALL
SELECT s.stxrelid::int8::text, pg_catalog.format('statistics %I', s.stxname), s.stxexprs::text
  FROM pg_catalog.pg_statistic_ext s
 WHERE s.stxexprs IS NOT NULL`
     : ''
 }`;

/** Of functions ($1): who is not a superuser owns them, whether a call may be replaced by their text, and what they are called. */
export const plannedFunctionsSql = `
SELECT p.oid::int8::text AS oid, p.oid::regprocedure::text AS name,
       l.lanname = 'sql' AND NOT p.prosecdef AND p.proconfig IS NULL AS replaced
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
 WHERE p.oid = ANY ($1::oid[]) AND NOT r.rolsuper`;

/** The functions of operators ($1) that do not belong to a superuser. */
export const plannedOperatorsSql = `
SELECT o.oid::int8::text AS oid, o.oid::regoperator::text AS name
  FROM pg_catalog.pg_operator o
  JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
  JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
 WHERE o.oid = ANY ($1::oid[]) AND NOT r.rolsuper`;

export const inheritanceSql = `
SELECT inhrelid::int8::text AS child, inhparent::int8::text AS parent FROM pg_catalog.pg_inherits`;
