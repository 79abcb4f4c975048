/** Functions, procedures, aggregates, and what is made of them. */
export function routinesSql(version: number): string {
  return `
CREATE SCHEMA code;
SET search_path = code;
CREATE TYPE pair AS (a int, b text);
CREATE TABLE numbers (n int PRIMARY KEY, t text);
INSERT INTO numbers SELECT n, 't' || n FROM generate_series(1, 10) n;

CREATE FUNCTION plain(a int, b text DEFAULT E'it''s; $$ \\\\') RETURNS text LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 7 AS $body$
DECLARE x text := $in$; -- no end $in$;
BEGIN
  /* BEGIN ATOMIC */ RETURN a || b || x || 'tab	and
\\.
backslash';
END $body$;
CREATE FUNCTION plain(a bigint) RETURNS bigint LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT $1';
CREATE FUNCTION definer() RETURNS name LANGUAGE sql SECURITY DEFINER SET search_path = code, pg_temp SET work_mem = '1MB' SET "DateStyle" = 'SQL, DMY' AS 'SELECT current_user';
CREATE FUNCTION rows_of(INOUT n int, OUT "T t" text, OUT p pair) RETURNS SETOF record LANGUAGE sql ROWS 33 AS 'SELECT n, ''t'', ROW(1, ''b'')::code.pair';
CREATE FUNCTION table_of(low int DEFAULT 0, high int DEFAULT 5) RETURNS TABLE (n int, t text) LANGUAGE sql AS 'SELECT n, t FROM code.numbers WHERE n BETWEEN low AND high';
CREATE FUNCTION variadic_sum(VARIADIC xs numeric[]) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT sum(x) FROM pg_catalog.unnest(xs) x';
CREATE FUNCTION any_of(anyelement, anyarray) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = ANY ($2)';
CREATE FUNCTION takes_row(numbers) RETURNS text LANGUAGE sql STABLE AS 'SELECT ($1).t';
CREATE FUNCTION set_of_rows() RETURNS SETOF numbers LANGUAGE sql STABLE AS 'SELECT * FROM code.numbers';
CREATE FUNCTION broken_body() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN no_such_thing(); END';
CREATE PROCEDURE commits(INOUT n int DEFAULT 1) LANGUAGE plpgsql AS $$ BEGIN INSERT INTO code.numbers VALUES (n); COMMIT; n := n + 1; END $$;
${version >= 14 ? standardBodies : ''}

CREATE FUNCTION step(pair, int) RETURNS pair LANGUAGE sql IMMUTABLE AS 'SELECT ROW(coalesce(($1).a, 0) + $2, ''s'')::code.pair';
CREATE FUNCTION finish(pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1).a';
CREATE AGGREGATE total (int) (SFUNC = step, STYPE = pair, FINALFUNC = finish, INITCOND = '(0,start)', PARALLEL = SAFE);
CREATE AGGREGATE middle (float8 ORDER BY anyelement) (SFUNC = pg_catalog.ordered_set_transition, STYPE = internal, FINALFUNC = pg_catalog.percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE moving (int) (SFUNC = int4pl, STYPE = int, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = int, SORTOP = <);
CREATE FUNCTION first_row() RETURNS bigint LANGUAGE internal WINDOW IMMUTABLE AS 'window_row_number';

CREATE DOMAIN score AS int;
CREATE FUNCTION less(pair, pair) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).a < ($2).a';
CREATE FUNCTION equal(pair, pair) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).a = ($2).a';
CREATE FUNCTION compare(pair, pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.btint4cmp(($1).a, ($2).a)';
CREATE FUNCTION negate(pair) RETURNS pair LANGUAGE sql IMMUTABLE AS 'SELECT ROW(- ($1).a, ($1).b)::code.pair';
CREATE OPERATOR <# (LEFTARG = pair, RIGHTARG = pair, FUNCTION = less, COMMUTATOR = >#, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE FUNCTION greater(pair, pair) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).a > ($2).a';
CREATE OPERATOR ># (LEFTARG = pair, RIGHTARG = pair, FUNCTION = greater, COMMUTATOR = <#);
CREATE OPERATOR =# (LEFTARG = pair, RIGHTARG = pair, FUNCTION = equal, COMMUTATOR = =#, MERGES, HASHES, RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR !# (RIGHTARG = pair, FUNCTION = negate);
CREATE OPERATOR FAMILY pairs USING btree;
CREATE OPERATOR CLASS pair_by_a FOR TYPE pair USING btree FAMILY pairs AS OPERATOR 1 <#, OPERATOR 3 =#, OPERATOR 5 >#, FUNCTION 1 compare(pair, pair);
CREATE TABLE sorted_pairs (p pair);
INSERT INTO sorted_pairs VALUES (ROW(2, 'x')), (ROW(1, 'y'));
CREATE INDEX by_a ON sorted_pairs (p pair_by_a DESC NULLS LAST);

CREATE FUNCTION pair_text(pair) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ($1).b';
CREATE CAST (pair AS text) WITH FUNCTION pair_text(pair) AS ASSIGNMENT;
CREATE CAST (pair AS name) WITH INOUT;
CREATE COLLATION plain_c FROM "C";
CREATE COLLATION "Icu nocase" (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
CREATE TABLE collated (a text COLLATE plain_c, b text COLLATE "Icu nocase" UNIQUE);
INSERT INTO collated VALUES ('a', 'Straße'), ('B', 'other');
CREATE DEFAULT CONVERSION latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH DICTIONARY stems (TEMPLATE = snowball, language = 'german', stopwords = 'german');
CREATE TEXT SEARCH CONFIGURATION searching (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION searching ALTER MAPPING FOR word, asciiword WITH stems, simple;
ALTER TEXT SEARCH CONFIGURATION searching DROP MAPPING FOR url;
CREATE TEXT SEARCH TEMPLATE own_template (LEXIZE = dsimple_lexize, INIT = dsimple_init);
CREATE TEXT SEARCH PARSER own_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE ACCESS METHOD own_heap TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE in_own_heap (a int) USING own_heap;
INSERT INTO in_own_heap SELECT generate_series(1, 10);
CREATE FUNCTION own_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE TRUSTED LANGUAGE own_language HANDLER own_handler;
CREATE FUNCTION text_in(internal) RETURNS internal LANGUAGE internal IMMUTABLE STRICT AS 'range_in';
CREATE TRANSFORM FOR pair LANGUAGE sql (FROM SQL WITH FUNCTION text_in(internal));
RESET search_path;
`;
}

const standardBodies = `
CREATE FUNCTION standard(a int) RETURNS int LANGUAGE sql IMMUTABLE RETURN CASE WHEN a > 0 THEN 1 ELSE 2 END;
CREATE FUNCTION atomic(a int) RETURNS SETOF numbers LANGUAGE sql BEGIN ATOMIC
  INSERT INTO numbers AS "Nu" VALUES (a + 1000, 'x;') ON CONFLICT (n) DO UPDATE SET t = excluded.t;
  SELECT numbers.n, t FROM numbers WHERE n = CASE WHEN a > 0 THEN 1 ELSE a END;
END;
CREATE PROCEDURE out_only(IN b int, OUT a int) LANGUAGE sql BEGIN ATOMIC SELECT b + 1; END;
`;
