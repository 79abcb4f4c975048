/**
 * Tables and partitioned tables, with the partitioned table above all of them (`root`; itself where there is none) and all above it.
 * `key`: the columns by which a row is told from others: those of the primary key, or else all that are not generated.
 */
export const relationsSql = `
SELECT c.oid::int8::text AS oid,
       n.nspname AS schema,
       c.relname AS name,
       c.relkind = 'p' AS is_partitioned,
       CASE WHEN c.relispartition THEN pg_catalog.pg_partition_root(c.oid)::oid ELSE c.oid END::int8::text AS root,
       CASE WHEN c.relispartition THEN
         ARRAY(SELECT a.relid::oid::int8::text FROM pg_catalog.pg_partition_ancestors(c.oid) AS a(relid) WHERE a.relid <> c.oid)
       ELSE '{}' END AS ancestors,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable,
       coalesce((
         SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place)
           FROM pg_catalog.pg_index i
           CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
           JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
          WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts
       ), (
         SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attnum)
           FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
       ), '{}') AS key
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p')
   AND c.relpersistence IN ('p', 'u')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname NOT LIKE 'pg\\_toast%'`;

/**
 * Foreign keys that every row has passed. What a partition has inherited is left to the partitioned table's own. `operator`, and the
 * casts and the collation where the columns' own are others, are those that the server itself compares with
 * (ri_GenerateQual in ri_triggers.c).
 */
export const foreignKeysSql = `
SELECT k.conname AS name,
       k.conrelid::int8::text AS child,
       k.confrelid::int8::text AS parent,
       coalesce((pg_catalog.to_jsonb(k) ->> 'conperiod')::boolean, false) AS has_period,
       columns.pairs AS columns
  FROM pg_catalog.pg_constraint k
  CROSS JOIN LATERAL (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
             'child', f.attname,
             'parent', p.attname,
             'nullable', NOT f.attnotnull,
             'operator', pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname),
             'child_cast', CASE WHEN o.oprright <> f.atttypid AND r.typtype <> 'p' THEN pg_catalog.format_type(o.oprright, NULL) END,
             'parent_cast', CASE WHEN o.oprleft <> p.atttypid AND l.typtype <> 'p' THEN pg_catalog.format_type(o.oprleft, NULL) END,
             'collation', CASE WHEN p.attcollation <> f.attcollation THEN (
               SELECT pg_catalog.format('%I.%I', cn.nspname, c.collname)
                 FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace cn ON cn.oid = c.collnamespace
                WHERE c.oid = p.attcollation) END
           ) ORDER BY u.place) AS pairs
      FROM ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey), pg_catalog.unnest(k.conpfeqop))
           WITH ORDINALITY AS u(child, parent, operator, place)
      JOIN pg_catalog.pg_attribute f ON f.attrelid = k.conrelid AND f.attnum = u.child
      JOIN pg_catalog.pg_attribute p ON p.attrelid = k.confrelid AND p.attnum = u.parent
      JOIN pg_catalog.pg_operator o ON o.oid = u.operator
      JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
      JOIN pg_catalog.pg_type l ON l.oid = o.oprleft
      JOIN pg_catalog.pg_type r ON r.oid = o.oprright
  ) columns
 WHERE k.contype = 'f' AND k.conparentid = 0 AND k.convalidated
 ORDER BY k.conrelid, k.conname`;
