/**
 * What is known now of a table: the columns that tell its rows apart, and the names of its partitions. Names are in hexadecimal digits of
 * the database's encoding.
 */
export const rowTableSql = `
SELECT ARRAY(SELECT pg_catalog.encode(pg_catalog.convert_to(a.attname, e.encoding), 'hex')
               FROM pg_catalog.pg_index i
               CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
              WHERE i.indexrelid = coalesce(pg_catalog.pg_get_replica_identity_index(c.oid),
                                            (SELECT p.indexrelid FROM pg_catalog.pg_index p WHERE p.indrelid = c.oid AND p.indisprimary))
                AND k.place <= i.indnkeyatts
              ORDER BY k.place) AS key,
       ARRAY(SELECT pg_catalog.json_build_object(
                      'schema', pg_catalog.encode(pg_catalog.convert_to(pn.nspname, e.encoding), 'hex'),
                      'name', pg_catalog.encode(pg_catalog.convert_to(pc.relname, e.encoding), 'hex'))
               FROM pg_catalog.pg_partition_tree(c.oid) t
               JOIN pg_catalog.pg_class pc ON pc.oid = t.relid
               JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
              WHERE t.isleaf AND t.relid <> c.oid) AS partitions
  FROM (SELECT pg_catalog.getdatabaseencoding() AS encoding) e
  JOIN pg_catalog.pg_namespace n ON n.nspname = $1
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = $2
 WHERE c.relkind IN ('r', 'p')`;

/** Texts of this session in the database's encoding, in hexadecimal digits. */
export const toBytesSql = `
SELECT ARRAY(SELECT pg_catalog.encode(pg_catalog.convert_to(t, pg_catalog.getdatabaseencoding()), 'hex')
               FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS u(t, n) ORDER BY n) AS bytes`;

/** The way back; what is no text of the encoding fails. */
export const toTextsSql = `
SELECT ARRAY(SELECT pg_catalog.convert_from(pg_catalog.decode(t, 'hex'), pg_catalog.getdatabaseencoding())
               FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS u(t, n) ORDER BY n) AS texts`;
