import { CHANGES_SCHEMA } from './own-schema.ts';

/** Tables whose rows are in the log, and composite types, which columns may be of. */
const CAPTURED = `
  SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, c.relpartbound
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'c') AND c.relpersistence = 'p'
     AND n.nspname NOT IN ('pg_catalog', 'information_schema', '${CHANGES_SCHEMA}')
     AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp\\_%'`;

/**
 * One hash over the definitions of all tables, and the number below which every transaction had ended. Numbers of objects tell a table
 * from another that was made in its place. The `xmin` of a column's entry tells that rows were rewritten by an expression to values of
 * the same type. `sha256` is there also where the server may not use MD5.
 */
export const tableDefinitionsSql = `
WITH captured AS (${CAPTURED}), facts(fact) AS (
  SELECT ROW('table', c.*)::text FROM captured c
  UNION ALL
  SELECT ROW('parent', i.inhrelid, i.inhparent, i.inhseqno)::text
    FROM pg_catalog.pg_inherits i
   WHERE i.inhrelid IN (SELECT oid FROM captured)
  UNION ALL
  SELECT ROW('column', a.attrelid, a.attnum, a.attname, a.xmin, a.attisdropped, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull,
             a.attidentity, a.attgenerated, d.adbin)::text
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE a.attnum > 0 AND a.attrelid IN (SELECT oid FROM captured)
  UNION ALL
  SELECT ROW('constraint', k.conrelid, k.contypid, k.conname, k.contype, k.condeferrable, k.condeferred, k.conkey, k.confrelid, k.confkey,
             k.conbin)::text
    FROM pg_catalog.pg_constraint k
   WHERE k.contypid <> 0 OR k.conrelid IN (SELECT oid FROM captured)
  UNION ALL
  SELECT ROW('unique index', i.indrelid, i.indisprimary, i.indisreplident, i.indkey, i.indclass, i.indcollation, i.indexprs, i.indpred)::text
    FROM pg_catalog.pg_index i
   WHERE i.indisunique AND i.indisvalid AND i.indrelid IN (SELECT oid FROM captured)
  UNION ALL
  SELECT ROW('type', t.oid, t.typnamespace, t.typname, t.typbasetype, t.typtypmod, t.typnotnull)::text
    FROM pg_catalog.pg_type t
   WHERE t.typtype IN ('d', 'e')
  UNION ALL
  SELECT ROW('label', e.enumtypid, e.enumsortorder, e.enumlabel)::text FROM pg_catalog.pg_enum e
), hashes(hash) AS (
  SELECT pg_catalog.sha256(pg_catalog.convert_to(fact, pg_catalog.getdatabaseencoding()::name)) FROM facts
)
SELECT pg_catalog.encode(pg_catalog.sha256(coalesce(pg_catalog.string_agg(hash, ''::bytea ORDER BY hash), ''::bytea)), 'hex') AS hash,
       pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text AS xmin
  FROM hashes`;

/**
 * Names of tables of whose definitions something was written by transactions from `$1` on (lower 32 bits, as text). At most `$2`, in
 * their order. One that was dropped, or of which the replica identity alone was changed, is not among them.
 */
export const changedTablesSql = `
WITH captured AS (${CAPTURED}), written(oid, by) AS (
  SELECT attrelid, xmin FROM pg_catalog.pg_attribute WHERE attnum > 0
  UNION ALL SELECT adrelid, xmin FROM pg_catalog.pg_attrdef
  UNION ALL SELECT conrelid, xmin FROM pg_catalog.pg_constraint
  UNION ALL SELECT indrelid, xmin FROM pg_catalog.pg_index WHERE indisunique
  UNION ALL SELECT inhrelid, xmin FROM pg_catalog.pg_inherits
  UNION ALL SELECT typrelid, xmin FROM pg_catalog.pg_type
)
SELECT DISTINCT pg_catalog.quote_ident(c.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
  FROM written w
  JOIN captured c ON c.oid = w.oid
 WHERE pg_catalog.age(w.by) <= pg_catalog.age($1::xid)
 ORDER BY 1
 LIMIT $2`;
