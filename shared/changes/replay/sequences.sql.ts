/**
 * Moves sequences that are behind: to a position that is given (schemas, names and positions in threes), and past the numbers in the
 * columns that they count for. One that counts down moves down. None is moved back.
 */
export const ownedColumnsSql = `
SELECT DISTINCT s.oid::regclass::text AS sequence, sq.seqincrement < 0 AS down,
       t.oid::regclass::text AS table, pg_catalog.quote_ident(a.attname) AS column
  FROM pg_catalog.pg_sequence sq
  JOIN pg_catalog.pg_class s ON s.oid = sq.seqrelid AND s.relpersistence <> 't'
  JOIN (SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attribute
          FROM pg_catalog.pg_depend d
         WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
           AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
         UNION
        SELECT d.refobjid, f.adrelid, f.adnum
          FROM pg_catalog.pg_depend d
          JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
         WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass) u
    ON u.sequence = s.oid
  JOIN pg_catalog.pg_class t ON t.oid = u.relation AND t.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = u.attribute
 WHERE a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
   AND s.relnamespace <> 'pg_catalog'::regnamespace`;

/** Moves a sequence ($1) to a number ($2) unless it is there or beyond, or takes no such number. */
export const moveSequenceSql = `
SELECT pg_catalog.setval(s.seqrelid, $2::int8, true)
  FROM pg_catalog.pg_sequence s
 WHERE s.seqrelid = pg_catalog.to_regclass($1) AND $2::int8 BETWEEN s.seqmin AND s.seqmax
   AND CASE WHEN s.seqincrement < 0 THEN coalesce(pg_catalog.pg_sequence_last_value(s.seqrelid) > $2::int8, true)
            ELSE coalesce(pg_catalog.pg_sequence_last_value(s.seqrelid) < $2::int8, true) END`;
