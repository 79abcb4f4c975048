/** Constraints, indexes and statistics objects. */
export function keysSql(version: number): string {
  return `
CREATE SCHEMA keys;
SET search_path = keys;
CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA keys;

CREATE TABLE customers (id int PRIMARY KEY, code text CONSTRAINT "unique; code" UNIQUE DEFERRABLE INITIALLY DEFERRED, region text, boss int);
ALTER TABLE customers ADD CONSTRAINT to_boss FOREIGN KEY (boss) REFERENCES customers ON DELETE SET NULL;
INSERT INTO customers VALUES (1, 'a', 'n', 3), (2, 'b', 'n', 1), (3, 'c', 's', 2), (4, 'd', NULL, 4);
CREATE TABLE orders (region text, customer int, placed date, last_item int, CONSTRAINT composite PRIMARY KEY (customer, placed) INCLUDE (region) WITH (fillfactor = 90));
CREATE TABLE items (id int PRIMARY KEY, customer int, placed date, CHECK (placed > '2000-01-01'), CONSTRAINT both_positive CHECK (customer > 0 AND id > 0) NO INHERIT);
-- A circle of two tables.
ALTER TABLE items ADD CONSTRAINT to_order FOREIGN KEY (customer, placed) REFERENCES orders MATCH FULL ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE orders ADD CONSTRAINT to_last_item FOREIGN KEY (last_item) REFERENCES items DEFERRABLE;
ALTER TABLE orders ADD CONSTRAINT to_customer FOREIGN KEY (customer) REFERENCES customers ON UPDATE RESTRICT;
BEGIN;
INSERT INTO items VALUES (1, 1, '2020-01-01'), (2, 1, '2020-01-01'), (3, NULL, NULL);
INSERT INTO orders VALUES ('n', 1, '2020-01-01', 2);
COMMIT;
-- Rows that a constraint not yet validated would refuse.
CREATE TABLE unvalidated (id int, ref int);
INSERT INTO unvalidated VALUES (-1, 999), (1, 1);
ALTER TABLE unvalidated ADD CONSTRAINT not_negative CHECK (id >= 0) NOT VALID;
ALTER TABLE unvalidated ADD CONSTRAINT to_customer FOREIGN KEY (ref) REFERENCES customers NOT VALID;
CREATE TABLE parts (id int, k int, ref int REFERENCES customers, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 (k int NOT NULL, ref int, id int NOT NULL);
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES IN (2);
CREATE TABLE to_parts (id int, k int, FOREIGN KEY (id, k) REFERENCES parts);
INSERT INTO parts VALUES (1, 1, 1), (2, 2, NULL);
INSERT INTO to_parts VALUES (1, 1), (2, 2), (NULL, 5);
CREATE TABLE bookings (room int, during tsrange, cancelled boolean DEFAULT false, CONSTRAINT no_overlap EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (NOT cancelled) DEFERRABLE);
INSERT INTO bookings VALUES (1, '[2020-01-01,2020-01-02)', false), (1, '[2020-01-01,2020-01-02)', true), (2, 'empty', false);
${version >= 15 ? since15 : ''}
${version >= 18 ? since18 : ''}

CREATE TABLE indexed (id int, t text, words tsvector, tags text[], doc jsonb, place point, at timestamptz, n numeric, wide int);
INSERT INTO indexed SELECT n, 'Text ' || n % 7, to_tsvector('simple', 'w' || n), ARRAY['t' || n % 5], jsonb_build_object('k', n % 3), point(n, -n), '2020-01-01 00:00+00'::timestamptz + n * interval '1 hour', n, n FROM generate_series(1, 500) n;
CREATE UNIQUE INDEX by_id ON indexed (id) INCLUDE (t, n);
CREATE INDEX "by; expression" ON indexed (lower(t) text_pattern_ops, (n % 10) DESC NULLS LAST) WHERE t <> 'it''s' AND id > 3;
CREATE INDEX by_collation ON indexed (t COLLATE "C" DESC);
CREATE INDEX by_words ON indexed USING gin (words) WITH (fastupdate = off);
CREATE INDEX by_tags ON indexed USING gin (tags);
CREATE INDEX by_doc ON indexed USING gin (doc jsonb_path_ops);
CREATE INDEX by_place ON indexed USING gist (place) WITH (buffering = on);
CREATE INDEX by_place_sp ON indexed USING spgist (place);
CREATE INDEX by_time ON indexed USING brin (at, wide${version >= 14 ? ' int4_minmax_multi_ops (values_per_range = 16)' : ''}) WITH (pages_per_range = 4, autosummarize = on);
CREATE INDEX by_hash ON indexed USING hash (t);
ALTER INDEX "by; expression" ALTER COLUMN 2 SET STATISTICS 500;
ALTER TABLE indexed CLUSTER ON by_collation;
COMMENT ON INDEX by_hash IS 'hash';
CREATE TABLE half_indexed (a int, b int) PARTITION BY LIST (a);
CREATE TABLE half_indexed_1 PARTITION OF half_indexed FOR VALUES IN (1);
CREATE INDEX incomplete ON ONLY half_indexed (b);

CREATE TABLE identity_full (a int, b text);
ALTER TABLE identity_full REPLICA IDENTITY FULL;
CREATE TABLE identity_nothing (a int PRIMARY KEY);
ALTER TABLE identity_nothing REPLICA IDENTITY NOTHING;
CREATE TABLE identity_index (a int NOT NULL, b text);
CREATE UNIQUE INDEX identity_of ON identity_index (a);
ALTER TABLE identity_index REPLICA IDENTITY USING INDEX identity_of;
INSERT INTO identity_full VALUES (1, 'x');
INSERT INTO identity_nothing VALUES (1);
INSERT INTO identity_index VALUES (1, 'y');

CREATE STATISTICS some_kinds (ndistinct, dependencies) ON id, t FROM indexed;
CREATE STATISTICS "all kinds" ON id, n, wide FROM indexed;
ALTER STATISTICS "all kinds" SET STATISTICS 50;
${version >= 14 ? 'CREATE STATISTICS of_expressions ON lower(t), (n % 5) FROM indexed;' : ''}
RESET search_path;
`;
}

const since15 = `
CREATE TABLE nulls_not_distinct (a int UNIQUE NULLS NOT DISTINCT, b int);
INSERT INTO nulls_not_distinct VALUES (NULL, 1), (1, NULL);
CREATE UNIQUE INDEX ON nulls_not_distinct (b) NULLS NOT DISTINCT;
CREATE TABLE sets_one_column (a int, b int, FOREIGN KEY (a) REFERENCES customers ON DELETE SET NULL (a));
`;

const since18 = `
CREATE TABLE not_nulls (a int CONSTRAINT "named not null" NOT NULL, b int CONSTRAINT own NOT NULL NO INHERIT, c int);
INSERT INTO not_nulls VALUES (1, 1, NULL);
ALTER TABLE not_nulls ADD CONSTRAINT unproven NOT NULL c NOT VALID;
CREATE TABLE not_enforced (a int CHECK (a > 0) NOT ENFORCED, b int REFERENCES customers NOT ENFORCED);
INSERT INTO not_enforced VALUES (-1, 999);
CREATE TABLE periods (room int, during tsrange, PRIMARY KEY (room, during WITHOUT OVERLAPS));
CREATE TABLE stays (room int, during tsrange, FOREIGN KEY (room, PERIOD during) REFERENCES periods (room, PERIOD during));
INSERT INTO periods VALUES (1, '[2020-01-01,2020-02-01)');
INSERT INTO stays VALUES (1, '[2020-01-05,2020-01-06)');
`;

/** Leaves an invalid index behind: its unique build fails. Each statement runs by itself. */
export const invalidIndexStatements = {
  prepare: `CREATE TABLE keys.with_duplicates (a int); INSERT INTO keys.with_duplicates VALUES (1), (1);`,
  fails: 'CREATE UNIQUE INDEX CONCURRENTLY invalid_index ON keys.with_duplicates (a)',
};
