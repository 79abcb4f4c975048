/** Extensions, foreign data, and publications. `available` names the extensions that the server has. */
export function foreignSql(version: number, available: ReadonlySet<string>): string {
  const has = (name: string, sql: string): string => (available.has(name) ? sql : '');
  return `
CREATE SCHEMA extensions;
CREATE SCHEMA far;
${has('pgcrypto', "CREATE EXTENSION pgcrypto SCHEMA extensions; COMMENT ON EXTENSION pgcrypto IS 'own comment';")}
${has('citext', "CREATE EXTENSION citext SCHEMA extensions; CREATE TABLE extensions.cased (c extensions.citext PRIMARY KEY, cs extensions.citext[]); INSERT INTO extensions.cased VALUES ('MiXed', '{A,b}'), ('', NULL);")}
${has('hstore', `CREATE EXTENSION hstore SCHEMA extensions; CREATE TABLE extensions.pairs (h extensions.hstore); INSERT INTO extensions.pairs VALUES ('"a b"=>"1", "q\\"uote"=>NULL, ""=>""'), (''), (NULL); CREATE INDEX ON extensions.pairs USING gin (h);`)}
${has('pg_trgm', "CREATE EXTENSION pg_trgm SCHEMA extensions; CREATE TABLE extensions.trigrams (t text); INSERT INTO extensions.trigrams VALUES ('trigram'), ('diagram'); CREATE INDEX ON extensions.trigrams USING gin (t extensions.gin_trgm_ops);")}
${has('ltree', "CREATE EXTENSION ltree SCHEMA extensions; CREATE TABLE extensions.trees (p extensions.ltree); INSERT INTO extensions.trees VALUES ('Top.Science'), ('');")}
${has('pg_stat_statements', 'CREATE EXTENSION pg_stat_statements SCHEMA extensions;')}

CREATE FOREIGN DATA WRAPPER "own wrapper" OPTIONS (debug 'it''s');
CREATE SERVER "else;where" TYPE 'odd' VERSION '1.2' FOREIGN DATA WRAPPER "own wrapper" OPTIONS (host 'a;b', "Port" '1');
CREATE USER MAPPING FOR PUBLIC SERVER "else;where" OPTIONS (user 'guest');
CREATE USER MAPPING FOR everything_reader SERVER "else;where" OPTIONS (user 'it''s', password 'p\\w"');
CREATE FOREIGN TABLE far.away (id int OPTIONS (column_name 'ID') NOT NULL, t text DEFAULT 'x', CHECK (id > 0)) SERVER "else;where" OPTIONS (path '/a;b');
COMMENT ON FOREIGN TABLE far.away IS 'not here';
CREATE TABLE far.parts (k int) PARTITION BY LIST (k);
CREATE FOREIGN TABLE far.parts_1 PARTITION OF far.parts FOR VALUES IN (1) SERVER "else;where";
CREATE TABLE far.parts_2 PARTITION OF far.parts FOR VALUES IN (2);
INSERT INTO far.parts VALUES (2), (2);
${has('postgres_fdw', "CREATE EXTENSION postgres_fdw; CREATE SERVER nobody_there FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'none'); CREATE FOREIGN TABLE far.unreachable (id int, t text) SERVER nobody_there OPTIONS (schema_name 'public', table_name 't', fetch_size '10');")}

CREATE TABLE far.published (id int PRIMARY KEY, region text, secret text);
INSERT INTO far.published VALUES (1, 'n', 's');
CREATE PUBLICATION whole FOR TABLE far.published, far.parts WITH (publish = 'insert, update', publish_via_partition_root = true);
CREATE PUBLICATION empty_one;
${
  version >= 15
    ? `CREATE PUBLICATION filtered FOR TABLE far.published (id, region) WHERE (id > 5 AND region <> 'it''s');
CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA counting;`
    : ''
}
ALTER PUBLICATION whole OWNER TO CURRENT_USER;
`;
}
