/** The tables of the given names (schemas and names in pairs) that there are, and the number of columns that they have had. */
export const columnsBeforeSql = `
SELECT asked.place::text AS place, c.oid::int8::text AS oid, c.relnatts::int AS columns
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH ORDINALITY AS asked(schema, name, place)
  JOIN pg_catalog.pg_namespace n ON n.nspname = asked.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = asked.name`;

/** Which of the given columns (schemas, tables and columns in threes) there are, and what rows have in them that are older. */
export const missingValuesSql = `
SELECT asked.place::text AS place, c.oid::int8::text AS oid, a.attnum::int AS number, (a.attmissingval::text::text[])[1] AS value
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]))
       WITH ORDINALITY AS asked(schema, name, col, place)
  JOIN pg_catalog.pg_namespace n ON n.nspname = asked.schema
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = asked.name
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = asked.col AND NOT a.attisdropped`;
