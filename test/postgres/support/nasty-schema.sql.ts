/** Objects whose names and bodies imitate what surrounds them in a dump, and one of most kinds. Needs a superuser. */
export const nastySchemaSql = `
CREATE ROLE "owner; Type: TABLE" NOLOGIN;
CREATE ROLE reader NOLOGIN;
CREATE SCHEMA "sch;ema -- Name: x; Type: TABLE; Schema: y; Owner: z";
CREATE SCHEMA ünï AUTHORIZATION "owner; Type: TABLE";
SET search_path = public;

CREATE FUNCTION fake_comments() RETURNS text LANGUAGE plpgsql AS $body$
BEGIN
  RETURN 'x

--
-- TOC entry 217 (class 1259 OID 16390)
-- Name: evil; Type: TABLE; Schema: public; Owner: postgres
--

DROP TABLE evil;
\\restrict abc
\\unrestrict abc
';
END;
$body$;
ALTER FUNCTION fake_comments() OWNER TO "owner; Type: TABLE";
CREATE TABLE base (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "we;ird ""na me
line" text DEFAULT 'a;
--
-- TOC entry 1 (class 1 OID 1)
' NOT NULL, twice int GENERATED ALWAYS AS (length('a;b') * 2) STORED, CHECK ("we;ird ""na me
line" <> E'\\'\\\\;'));
CREATE TABLE "na;me""
Type: TABLE 🐘" (id serial PRIMARY KEY, base int REFERENCES base ON DELETE CASCADE, t tsvector, UNIQUE (base));
CREATE TABLE nothing ();
CREATE UNLOGGED TABLE unlogged (a int) INHERITS (base);
CREATE INDEX "i;x" ON base (lower("we;ird ""na me
line")) WHERE id > 3;
CREATE STATISTICS stat ON id, twice FROM base;
COMMENT ON TABLE base IS 'it''s; a comment
--
-- Name: evil; Type: TABLE; Schema: public; Owner: -
--
\\restrict x
$$ /* ';
COMMENT ON COLUMN base."we;ird ""na me
line" IS E'back\\\\slash';

CREATE FUNCTION standard(a int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC
  SELECT CASE WHEN a > 0 THEN 1 ELSE 2 END;
  SELECT a + 1;
END;
CREATE PROCEDURE proc(INOUT a int) LANGUAGE sql BEGIN ATOMIC SELECT a; END;
CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int);
CREATE TYPE mood AS ENUM ('it''s', ';', '-- x');
CREATE TYPE pair AS (a int, b mood);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE span AS RANGE (subtype = numeric);
CREATE FUNCTION same(positive, positive) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1::int = $2::int';
CREATE OPERATOR === (LEFTARG = positive, RIGHTARG = positive, FUNCTION = same);
CREATE FUNCTION pair_of(mood) RETURNS pair LANGUAGE sql AS 'SELECT (1, $1)::pair';
CREATE CAST (mood AS pair) WITH FUNCTION pair_of(mood);

CREATE VIEW shown AS SELECT id, ';' AS semicolon FROM base;
CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS n FROM base;
CREATE INDEX ON kept (n);
CREATE RULE several AS ON UPDATE TO shown DO INSTEAD (UPDATE base SET id = DEFAULT WHERE id = OLD.id; SELECT 1; NOTIFY x);
CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER trig BEFORE INSERT ON base FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION fired('a;', '--');
ALTER TABLE base DISABLE TRIGGER trig;
ALTER TABLE base ENABLE ROW LEVEL SECURITY;
CREATE POLICY "pol;icy" ON base FOR SELECT TO reader USING (id < 5);

CREATE TABLE parted (k int, at date) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (k);
CREATE TABLE parted_1_1 PARTITION OF parted_1 FOR VALUES IN (1, 2);
CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
CREATE INDEX ON parted (k);
ALTER TABLE parted ADD CHECK (k > 0) NOT VALID;

CREATE EXTENSION pg_stat_statements SCHEMA ünï;
CREATE EXTENSION pgcrypto;
CREATE SEQUENCE odd AS smallint INCREMENT -3 MAXVALUE 100 START 50 CYCLE;
CREATE COLLATION coll FROM "C";
CREATE TEXT SEARCH CONFIGURATION searching (COPY = simple);
CREATE FOREIGN DATA WRAPPER wrap;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER wrap OPTIONS (host 'a;b');
CREATE FOREIGN TABLE far (a int) SERVER elsewhere;
CREATE PUBLICATION pub FOR TABLE parted;

GRANT SELECT (id), UPDATE (twice) ON base TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader WITH GRANT OPTION;
REVOKE EXECUTE ON FUNCTION standard(int) FROM PUBLIC;
REVOKE INSERT ON base FROM CURRENT_USER;
ALTER DEFAULT PRIVILEGES IN SCHEMA ünï GRANT SELECT ON TABLES TO reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
SELECT lo_from_bytea(4711, 'large');

CREATE FUNCTION watched() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER "watch;er" ON ddl_command_start EXECUTE FUNCTION watched();
COMMENT ON EVENT TRIGGER "watch;er" IS 'about; it';
`;
