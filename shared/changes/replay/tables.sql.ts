/**
 * What is to be known of a table that changes are written to, by schema and name in the database's encoding. Its key is what its
 * replica identity names, or with the identity FULL its primary key; each key column comes with the operator that its index compares by.
 */
export const tableSql = `
SELECT c.oid::int8::text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relreplident = 'f' AS full,
       coalesce(r.relid, c.oid)::regclass::text AS target, r.relid IS NOT NULL AS rerouted,
       EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
                  AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND NOT c.oid = ANY (coalesce(e.extconfig, '{}')))
         AS of_extension,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e') AS in_extension,
       ARRAY(SELECT pg_catalog.json_build_object(
                      'name', a.attname, 'bytes', pg_catalog.encode(pg_catalog.convert_to(a.attname, e.encoding), 'hex'),
                      'generated', a.attgenerated <> '')
               FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
              ORDER BY a.attnum) AS columns,
       ARRAY(SELECT pg_catalog.json_build_object(
                      'name', a.attname,
                      'operator', (SELECT pg_catalog.format('OPERATOR(%I.%s)', pn.nspname, o.oprname)
                                     FROM pg_catalog.pg_amop m
                                     JOIN pg_catalog.pg_operator o ON o.oid = m.amopopr
                                     JOIN pg_catalog.pg_namespace pn ON pn.oid = o.oprnamespace
                                    WHERE m.amopfamily = oc.opcfamily AND m.amopstrategy = 3
                                      AND m.amoplefttype = oc.opcintype AND m.amoprighttype = oc.opcintype))
               FROM pg_catalog.pg_index i
               CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(i.indkey::int2[]), pg_catalog.unnest(i.indclass::oid[]))
                          WITH ORDINALITY AS k(attnum, class, place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
               JOIN pg_catalog.pg_opclass oc ON oc.oid = k.class
              WHERE i.indexrelid = coalesce(pg_catalog.pg_get_replica_identity_index(c.oid),
                                            (SELECT p.indexrelid FROM pg_catalog.pg_index p
                                              WHERE p.indrelid = c.oid AND p.indisprimary AND p.indimmediate AND c.relreplident = 'f'))
                AND k.place <= i.indnkeyatts
              ORDER BY k.place) AS key
  FROM (SELECT pg_catalog.getdatabaseencoding() AS encoding) e
  JOIN pg_catalog.pg_namespace n ON n.nspname = pg_catalog.convert_from($1::bytea, e.encoding)::name
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = pg_catalog.convert_from($2::bytea, e.encoding)::name
  LEFT JOIN LATERAL (
    -- Partitions found by the hash of an enum, whose numbers every database gives anew: their root finds the right one.
    SELECT pg_catalog.pg_partition_root(c.oid) AS relid
     WHERE c.relispartition AND EXISTS (
             SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) AS a(relid)
               JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = a.relid AND p.partstrat = 'h'
               CROSS JOIN LATERAL pg_catalog.unnest(p.partclass::oid[]) AS class
               JOIN pg_catalog.pg_opclass o ON o.oid = class AND o.opcname = 'enum_ops')) r ON true
 WHERE c.relkind IN ('r', 'p', 'm')`;
