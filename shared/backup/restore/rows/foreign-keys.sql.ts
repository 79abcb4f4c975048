/**
 * Foreign keys of and to the given relations, as the server enforces them. A key to a partitioned table has a further constraint
 * for each of its partitions, which says nothing of its own; a partition's constraint made from that of its table above has the
 * number of it as `inherited_from`. `referenced` are the relations that may hold the row that is referred to.
 */
export const foreignKeysSql = `
SELECT con.oid::int8::text AS oid, con.conname AS name,
       con.conrelid::int8::text AS child, cn.nspname AS child_schema, cc.relname AS child_name, cc.relkind = 'p' AS child_partitioned,
       con.confrelid::int8::text AS parent, pn.nspname AS parent_schema, pc.relname AS parent_name, pc.relkind = 'p' AS parent_partitioned,
       nullif(con.conparentid, 0)::int8::text AS inherited_from,
       con.condeferrable AS deferrable, con.convalidated AS validated, con.confmatchtype = 'f' AS match_full,
       coalesce((pg_catalog.to_jsonb(con) ->> 'conperiod')::bool, false) AS period,
       pg_catalog.has_schema_privilege(pn.oid, 'USAGE') AND pg_catalog.has_table_privilege(pc.oid, 'SELECT') AS parent_readable,
       pg_catalog.has_schema_privilege(cn.oid, 'USAGE') AND pg_catalog.has_table_privilege(cc.oid, 'SELECT') AS child_readable,
       CASE WHEN pc.relkind = 'p' THEN ARRAY(SELECT relid::oid::int8::text FROM pg_catalog.pg_partition_tree(pc.oid))
            ELSE ARRAY[pc.oid::int8::text] END AS referenced,
       ARRAY(
         SELECT pg_catalog.json_build_object(
                  'child', ca.attname, 'parent', pa.attname,
                  'operator', pg_catalog.format('OPERATOR(%I.%s)', opn.nspname, op.oprname),
                  'collation', CASE WHEN ca.attcollation <> pa.attcollation
                                    THEN pg_catalog.format('%I.%I', coln.nspname, col.collname) END)
           FROM ROWS FROM (pg_catalog.unnest(con.conkey), pg_catalog.unnest(con.confkey), pg_catalog.unnest(con.conpfeqop))
                WITH ORDINALITY AS k(child, parent, operator, number)
           JOIN pg_catalog.pg_attribute ca ON ca.attrelid = con.conrelid AND ca.attnum = k.child
           JOIN pg_catalog.pg_attribute pa ON pa.attrelid = con.confrelid AND pa.attnum = k.parent
           JOIN pg_catalog.pg_operator op ON op.oid = k.operator
           JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace
           LEFT JOIN pg_catalog.pg_collation col ON col.oid = pa.attcollation
           LEFT JOIN pg_catalog.pg_namespace coln ON coln.oid = col.collnamespace
          ORDER BY k.number
       ) AS columns
  FROM pg_catalog.pg_constraint con
  JOIN pg_catalog.pg_class cc ON cc.oid = con.conrelid
  JOIN pg_catalog.pg_namespace cn ON cn.oid = cc.relnamespace
  JOIN pg_catalog.pg_class pc ON pc.oid = con.confrelid
  JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
 WHERE con.contype = 'f' AND (con.conrelid = ANY ($1::oid[]) OR con.confrelid = ANY ($1::oid[]))
   AND coalesce((pg_catalog.to_jsonb(con) ->> 'conenforced')::bool, true)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint above WHERE above.oid = con.conparentid AND above.conrelid = con.conrelid)
 ORDER BY cn.nspname, cc.relname, con.conname`;

/**
 * Unique and exclusion constraints of the given tables that are checked at the end of a statement or transaction, by triggers that
 * `session_replication_role = replica` turns off. `operators` is null where equality is meant.
 */
export const deferrableKeysSql = `
SELECT con.oid::int8::text AS oid, con.conname AS name, n.nspname AS schema, c.relname AS table,
       coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false) AS nulls_equal,
       ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid, column_number, true)
               FROM pg_catalog.generate_series(1, i.indnkeyatts::int) AS column_number ORDER BY column_number) AS expressions,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate,
       CASE WHEN con.conexclop IS NOT NULL THEN ARRAY(
         SELECT pg_catalog.format('OPERATOR(%I.%s)', opn.nspname, op.oprname)
           FROM pg_catalog.unnest(con.conexclop) WITH ORDINALITY AS o(operator, number)
           JOIN pg_catalog.pg_operator op ON op.oid = o.operator
           JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace
          ORDER BY o.number) END AS operators
  FROM pg_catalog.pg_constraint con
  JOIN pg_catalog.pg_index i ON i.indexrelid = con.conindid
  JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE con.contype IN ('p', 'u', 'x') AND con.condeferrable AND c.relkind = 'r' AND con.conrelid = ANY ($1::oid[])
 ORDER BY n.nspname, c.relname, con.conname`;
