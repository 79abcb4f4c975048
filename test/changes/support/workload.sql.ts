/** One table for each thing that a replay has to get right. */
export const workloadTablesSql = `
CREATE TYPE mood AS ENUM ('calm', 'it''s fine', 'Odd "one"');
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, mood mood, tags text[], details jsonb, changed timestamptz DEFAULT now());
INSERT INTO accounts SELECT n, 1000, 'calm', ARRAY['a', NULL, 'b,"c"'], jsonb_build_object('n', n, 'tab', E'\\t') FROM generate_series(1, 400) AS n;
CREATE TABLE transfers (id bigserial PRIMARY KEY, source int NOT NULL REFERENCES accounts ON DELETE CASCADE ON UPDATE CASCADE, amount numeric, note text);
INSERT INTO transfers (source, amount, note) SELECT 1 + n % 400, n / 7.0, E'back\\\\slash\\n' || n FROM generate_series(1, 2000) AS n;
CREATE TABLE log (at timestamptz DEFAULT clock_timestamp(), what text, account int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO public.log (what, account) VALUES (TG_OP, coalesce(NEW.id, OLD.id)); RETURN NULL; END';
CREATE TRIGGER note AFTER UPDATE OR DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER always AFTER INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE transfers ENABLE ALWAYS TRIGGER always;
CREATE TABLE pairs (a text COLLATE "C", b numeric, value int, big text, bigger bytea, PRIMARY KEY (b, a));
ALTER TABLE pairs ALTER big SET STORAGE EXTERNAL, ALTER bigger SET STORAGE EXTERNAL;
CREATE TABLE keyless (a int, b text, j json, p point);
ALTER TABLE keyless REPLICA IDENTITY FULL;
CREATE TABLE "Quoted ""table""" ("Some key" int GENERATED ALWAYS AS IDENTITY, "and, more" text UNIQUE NOT NULL, twice int GENERATED ALWAYS AS (n * 2) STORED, n int);
ALTER TABLE "Quoted ""table""" REPLICA IDENTITY USING INDEX "Quoted ""table""_and, more_key";
CREATE TABLE parts (id int, region text, value int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parts_north PARTITION OF parts FOR VALUES IN ('north');
CREATE TABLE parts_south PARTITION OF parts FOR VALUES IN ('south') PARTITION BY RANGE (id);
CREATE TABLE parts_south_low PARTITION OF parts_south FOR VALUES FROM (MINVALUE) TO (100);
CREATE TABLE parts_south_high PARTITION OF parts_south FOR VALUES FROM (100) TO (MAXVALUE);
INSERT INTO parts SELECT n, CASE WHEN n % 2 = 0 THEN 'north' ELSE 'south' END, 0 FROM generate_series(1, 200) AS n;
CREATE TABLE by_mood (mood mood, id int, PRIMARY KEY (mood, id)) PARTITION BY HASH (mood);
CREATE TABLE by_mood_0 PARTITION OF by_mood FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_mood_1 PARTITION OF by_mood FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE swapped (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED, seat int UNIQUE);
INSERT INTO swapped SELECT n, n, n FROM generate_series(1, 20) AS n;
CREATE TABLE booked (room int, during int4range, EXCLUDE USING gist (during WITH &&));
ALTER TABLE booked REPLICA IDENTITY FULL;
CREATE TABLE emptied (id serial PRIMARY KEY, note text);
CREATE TABLE emptied_too (id int PRIMARY KEY, of int REFERENCES emptied);
CREATE VIEW busy AS SELECT source, count(*) AS n FROM transfers GROUP BY source;
CREATE MATERIALIZED VIEW moods AS SELECT mood, count(*) AS n FROM accounts GROUP BY mood;
CREATE TABLE moments (n int PRIMARY KEY)`;

/** Taken by what changes definitions, and by what looks at all tables. */
export const DEFINITIONS_LOCK = 4711;
