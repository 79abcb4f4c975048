/** Of relations by their names: what they are, their columns, and their keys as they are written in a definition. */
export const tableDefinitionsSql = `
SELECT wanted.schema, wanted.name, c.relkind AS kind,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                 'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
                 'collation', CASE WHEN a.attcollation <> t.typcollation
                                   THEN pg_catalog.format('%I.%I', n.nspname, co.collname) END)
               ORDER BY a.attnum)
          FROM pg_catalog.pg_attribute a
          JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
          LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
          LEFT JOIN pg_catalog.pg_namespace n ON n.oid = co.collnamespace
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       (SELECT pg_catalog.json_agg(pg_catalog.pg_get_constraintdef(k.oid) ORDER BY k.contype, k.conname)
          FROM pg_catalog.pg_constraint k
         WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u')) AS keys
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS wanted(schema, name)
  LEFT JOIN pg_catalog.pg_namespace s ON s.nspname = wanted.schema
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid AND c.relname = wanted.name`;

/** Of names that tables are to get: whether their schema takes them, and the remark on what has the name already. */
export const placesSql = `
SELECT wanted.schema, wanted.name, s.oid IS NOT NULL AS has_schema,
       coalesce(pg_catalog.has_schema_privilege(current_user, s.oid, 'CREATE'), false) AS may_create,
       c.oid IS NOT NULL OR t.oid IS NOT NULL AS taken,
       pg_catalog.obj_description(c.oid, 'pg_class') AS remark
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS wanted(schema, name)
  LEFT JOIN pg_catalog.pg_namespace s ON s.nspname = wanted.schema
  LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid AND c.relname = wanted.name
  LEFT JOIN pg_catalog.pg_type t ON t.typnamespace = s.oid AND t.typname = wanted.name`;
