/** Views and materialized views. */
export function viewsSql(version: number): string {
  return `
CREATE SCHEMA seen;
SET search_path = seen;
CREATE TABLE base (id int PRIMARY KEY, parent int, name text, amount numeric);
INSERT INTO base SELECT n, nullif(n / 2, 0), 'name ' || n, n * 1.5 FROM generate_series(1, 40) n;

CREATE VIEW plain AS SELECT id, upper(name) AS "Upper name", amount * 2 AS doubled FROM base WHERE id > 3;
CREATE VIEW renamed (a, "b c") AS SELECT id, name FROM base;
ALTER VIEW renamed ALTER COLUMN a SET DEFAULT 5;
CREATE VIEW local_check AS SELECT * FROM base WHERE id < 100 WITH LOCAL CHECK OPTION;
CREATE VIEW cascaded_check WITH (security_barrier) AS SELECT * FROM local_check WHERE id > 0 WITH CASCADED CHECK OPTION;
${version >= 15 ? 'CREATE VIEW as_invoker WITH (security_invoker = true, security_barrier = false) AS SELECT * FROM base;' : ''}
CREATE RECURSIVE VIEW ancestors (id, root) AS SELECT id, id FROM base WHERE parent IS NULL UNION ALL SELECT b.id, a.root FROM base b JOIN ancestors a ON a.id = b.parent;
CREATE VIEW windowed AS SELECT id, sum(amount) OVER w AS running, rank() OVER (PARTITION BY parent ORDER BY amount DESC) FROM base WINDOW w AS (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW);
CREATE VIEW grouped AS SELECT parent, count(*) FILTER (WHERE id % 2 = 0) AS even, percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) AS middle FROM base GROUP BY GROUPING SETS ((parent), ()) HAVING count(*) > 0;
CREATE VIEW lateral_join AS SELECT b.id, t.* FROM base b CROSS JOIN LATERAL (VALUES (b.id, 'x'), (b.id + 1, E'y\\\\')) AS t (n, "T") WHERE EXISTS (SELECT FROM base c WHERE c.parent = b.id);
CREATE VIEW no_columns AS SELECT FROM base;
-- Two views that need each other's columns: pg_dump must break such a circle.
CREATE VIEW circle_a AS SELECT 1 AS n;
CREATE VIEW circle_b AS SELECT n FROM circle_a;
CREATE VIEW by_key AS SELECT id, name, count(*) AS n FROM base GROUP BY id;

CREATE MATERIALIZED VIEW z_first AS SELECT parent, sum(amount) AS total FROM base GROUP BY parent WITH DATA;
CREATE UNIQUE INDEX z_first_parent ON z_first (parent);
CREATE MATERIALIZED VIEW a_second (p, "double total") WITH (fillfactor = 80) AS SELECT parent, total * 2 FROM z_first;
CREATE INDEX ON a_second ("double total") WHERE p > 3;
CREATE MATERIALIZED VIEW unpopulated AS SELECT * FROM base WITH NO DATA;
CREATE INDEX unpopulated_name ON unpopulated (name);
CREATE VIEW over_materialized AS SELECT * FROM a_second WHERE p IS NOT NULL;
CREATE MATERIALIZED VIEW b_third AS SELECT count(*) AS n FROM over_materialized;
RESET search_path;
`;
}
