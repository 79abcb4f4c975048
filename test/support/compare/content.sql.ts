/** Settings under which a value's text is exact and the same whatever the database's own settings are. */
export const exactText = `
SET LOCAL search_path = '';
SET LOCAL "TimeZone" = 'UTC';
SET LOCAL datestyle = ISO;
SET LOCAL intervalstyle = postgres;
SET LOCAL extra_float_digits = 3;
SET LOCAL bytea_output = hex;
SET LOCAL xmlbinary = base64;
SET LOCAL lc_monetary = 'C';
SET LOCAL row_security = off;
SET LOCAL statement_timeout = 0`;

/**
 * What has rows: tables, each without its children, materialized views, and views, whose text alone would not tell what they
 * answer; but not what extensions bring to look at the server. Where a partition's rows are found by the hash of
 * an enum's number, which another database gives anew, the partitioned table stands for its partitions.
 */
export const rowsOfSql = `
WITH hashed AS (
  SELECT p.partrelid AS oid
    FROM pg_partitioned_table p
   WHERE p.partstrat = 'h' AND EXISTS (
           SELECT FROM unnest(p.partclass::oid[]) AS class JOIN pg_opclass o ON o.oid = class WHERE o.opcname = 'enum_ops')
), placed AS (
  SELECT c.oid, c.relkind, c.relispopulated,
         (SELECT pg_partition_root(c.oid) FROM pg_partition_ancestors(c.oid) AS a (oid) JOIN hashed USING (oid) LIMIT 1) AS root
    FROM pg_class c
   WHERE c.relkind IN ('r', 'm', 'v') AND c.relpersistence <> 't' AND c.oid >= 16384
     AND NOT (c.relkind = 'v' AND EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e'))
)
SELECT DISTINCT coalesce(root, oid::regclass)::text AS name, root IS NULL AND relkind <> 'v' AS only, relispopulated AS populated,
       (SELECT coalesce(array_agg(quote_ident(attname)), '{}') FROM pg_attribute
         WHERE attrelid = coalesce(root::oid, placed.oid) AND attnum > 0 AND NOT attisdropped) AS columns
  FROM placed
 ORDER BY name`;

/** Number of rows, and a checksum of them all in the order of their own checksums: duplicates count, the order on disk does not. */
export const checksumSql = (from: string): string => `
SELECT count(*)::text AS rows, md5(coalesce(string_agg(sum, '' ORDER BY sum COLLATE "C"), '')) AS sum
  FROM (SELECT md5(t::text) AS sum FROM ${from} AS t) sums`;

/** The same for one column. */
export const columnChecksumSql = (from: string, column: string): string => `
SELECT md5(coalesce(string_agg(sum, '' ORDER BY sum COLLATE "C"), '')) AS sum
  FROM (SELECT coalesce(md5(t.${column}::text), 'null') AS sum FROM ${from} AS t) sums`;

export const sequencesSql = `
SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'S' AND relpersistence <> 't' AND oid >= 16384 ORDER BY name`;

export const positionSql = (sequence: string): string =>
  `SELECT last_value || CASE WHEN is_called THEN ', called' ELSE ', not called' END AS position FROM ${sequence}`;

export const largeObjectsSql = `
SELECT m.oid::text AS name,
       concat_ws(' ', 'owner', m.lomowner::regrole, 'md5', md5(lo_get(m.oid)), 'bytes', length(lo_get(m.oid)),
         'comment', obj_description(m.oid, 'pg_largeobject'), 'acl',
         (SELECT string_agg(entry, ', ' ORDER BY entry)
            FROM aclexplode(coalesce(m.lomacl, acldefault('L', m.lomowner))) x
            CROSS JOIN LATERAL (SELECT concat_ws(' ', x.grantee::regrole, x.privilege_type, x.is_grantable, x.grantor::regrole)) AS one (entry))
       ) AS definition
  FROM pg_largeobject_metadata m ORDER BY m.oid`;
