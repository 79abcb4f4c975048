import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEverything } from '../everything/create-everything.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase, withClient } from '../servers.ts';
import { beginComparison, databaseDifferences } from './compare.ts';
import { contentDifferences } from './content.ts';

const baseSql = `
CREATE TABLE t (id int PRIMARY KEY, "T x" text, n numeric, f float8) WITH (fillfactor = 90);
INSERT INTO t SELECT n, 'text ' || n, n / 3.0, n / 3.0 FROM generate_series(1, 100) AS n;
CREATE TABLE nothing ();
INSERT INTO nothing SELECT FROM generate_series(1, 3);
CREATE TABLE twice (n int);
INSERT INTO twice VALUES (1), (1), (2);
CREATE INDEX by_text ON t ("T x");
CREATE SEQUENCE counter;
SELECT nextval('counter');
CREATE SEQUENCE waiting;
CREATE TABLE kept AS TABLE t;
CREATE MATERIALIZED VIEW filled AS SELECT count(*) AS n FROM t;
CREATE MATERIALIZED VIEW unfilled AS SELECT count(*) AS n FROM t WITH NO DATA;
CREATE VIEW seen AS SELECT id FROM kept;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION on_t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER on_t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION on_t();
CREATE TYPE kind AS ENUM ('a', 'b');
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON t USING (id > 0);
SELECT lo_from_bytea(4711, 'content');
COMMENT ON TABLE t IS 'a table';`;

/** Each changes what the database holds; what the comparison says of it. */
const contentChanges: [what: string, sql: string, difference: string | RegExp | null][] = [
  ['nothing', '', null],
  [
    'the order on disk',
    'CREATE TEMP TABLE copied AS TABLE twice; TRUNCATE twice; INSERT INTO twice SELECT n FROM copied ORDER BY n DESC',
    null,
  ],
  ['a value', `UPDATE t SET "T x" = 'text  7' WHERE id = 7`, 'rows of public.t: other values in "T x"'],
  [
    'two values that change places',
    'UPDATE t SET n = (10 - id) / 3.0 WHERE id IN (4, 6)',
    'rows of public.t: other values',
  ],
  ['the last digit', 'UPDATE t SET f = f + 1e-16 WHERE id = 1', 'rows of public.t: other values in f'],
  ['digits after the point', 'UPDATE t SET n = 1.00 WHERE id = 3', 'rows of public.t: other values in n'],
  ['null for a text', `UPDATE t SET "T x" = NULL WHERE id = 1`, 'rows of public.t: other values in "T x"'],
  ['a row less', 'DELETE FROM t WHERE id = 50', 'rows of public.t: 100 in the first, 99 in the second'],
  [
    'a row without columns more',
    'INSERT INTO nothing DEFAULT VALUES',
    'rows of public.nothing: 3 in the first, 4 in the second',
  ],
  [
    'a row for its duplicate',
    'UPDATE twice SET n = 2 WHERE ctid = (SELECT min(ctid) FROM twice)',
    'rows of public.twice: other values in n',
  ],
  ['a table more', 'CREATE TABLE more (n int)', 'rows of public.more: only in the second'],
  ['a table less', 'DROP TABLE twice', 'rows of public.twice: only in the first'],
  [
    'a materialized view',
    'DELETE FROM t; REFRESH MATERIALIZED VIEW filled; INSERT INTO t TABLE kept',
    'rows of public.filled: other values in n',
  ],
  [
    'a materialized view filled',
    'REFRESH MATERIALIZED VIEW unfilled',
    'rows of public.unfilled: never filled in the first, 1 in the second',
  ],
  ['a large object', `SELECT lo_put(4711, 6, 'T')`, /^large object 4711: differs/],
  ['a large object more', 'SELECT lo_create(4712)', 'large object 4712: only in the second'],
  ['privileges on one', 'GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC', /^large object 4711: differs/],
  ['a comment on one', `COMMENT ON LARGE OBJECT 4711 IS 'x'`, /^large object 4711: differs/],
];

/** Change everything but rows; what the comparison says, each way that it looks. */
const schemaChanges: [sql: string, differences: RegExp[]][] = [
  [
    `SELECT nextval('counter')`,
    [/^position of public.counter: differs: "1, called" in the first, "2, called" in the second$/],
  ],
  [
    `SELECT setval('waiting', 1, true)`,
    [/^position of public.waiting: differs: "1, not called" in the first, "1, called"/],
  ],
  [`COMMENT ON TABLE t IS 'a Table'`, [/^dump of TABLE t; Type: COMMENT/, /^catalog of comment table public.t, value/]],
  [
    'CREATE TABLE more ()',
    [/^dump of more/, /^catalog of relation public.more: only in the second/, /^rows of public.more: only/],
  ],
  [
    'ALTER TABLE t ALTER n SET DEFAULT 1; ALTER TABLE t ALTER n SET STATISTICS 7; ALTER TABLE t SET (fillfactor = 91)',
    [
      /^dump of t; Type: TABLE/,
      /^catalog of column public.t n, default: differs: "null" in the first, "\\"1\\"" in the second$/,
      /^catalog of column public.t n, statistics: differs/,
      /^catalog of relation public.t, options/,
    ],
  ],
  [
    'DROP INDEX by_text; CREATE INDEX by_text ON t ("T x" DESC)',
    [/^dump of by_text; Type: INDEX/, /^catalog of index public.by_text, definition/],
  ],
  [
    'CREATE OR REPLACE VIEW seen AS SELECT id FROM kept WHERE id > 0',
    [
      /^dump of seen; Type: VIEW/,
      /^catalog of relation public.seen, query/,
      /^catalog of rule "_RETURN" on public.seen, definition/,
    ],
  ],
  [
    `CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'`,
    [/^dump of f\(\)/, /^catalog of routine public.f\(\), definition/],
  ],
  ['ALTER TABLE t DISABLE TRIGGER on_t', [/^dump of t on_t/, /^catalog of trigger on_t on public.t, enabled/]],
  ['ALTER POLICY mine ON t USING (id > 1)', [/^dump of t mine/, /^catalog of policy mine on public.t, using/]],
  [`ALTER TYPE kind ADD VALUE 'between' BEFORE 'b'`, [/^dump of kind/, /^catalog of type public.kind, labels/]],
  ['GRANT SELECT ON t TO PUBLIC', [/^dump of TABLE t; Type: ACL/, /^catalog of relation public.t, acl/]],
  ['GRANT SELECT (n) ON t TO PUBLIC', [/^dump of COLUMN t.n; Type: ACL/, /^catalog of column public.t n, acl/]],
  [
    'ALTER TABLE t DISABLE ROW LEVEL SECURITY',
    [/^dump of t; Type: ROW SECURITY/, /^catalog of relation public.t, row security/],
  ],
  [
    'DO $$ BEGIN EXECUTE format($a$ALTER DATABASE %I SET work_mem = 65$a$, current_database()); END $$',
    [/^catalog of database itself, settings/],
  ],
];

forEachServer((server) => {
  let first: ScratchDatabase;
  let second: ScratchDatabase;

  beforeAll(async () => {
    first = await createScratchDatabase(server);
    second = await createScratchDatabase(server);
    for (const { name } of [first, second]) await withClient(server, name, (client) => client.query(baseSql));
  });
  afterAll(async () => {
    await first?.drop();
    await second?.drop();
  });

  test.for(contentChanges)('of what a database holds, it sees: %s', async ([, sql, difference]) => {
    const one = await beginComparison(first);
    const other = await second.connect();
    try {
      await other.query('BEGIN');
      await other.query(sql);
      const expected = typeof difference === 'string' ? difference : expect.stringMatching(difference ?? '');
      expect(await contentDifferences(one, other)).toEqual(difference === null ? [] : [expected]);
    } finally {
      await one.end();
      await other.end();
    }
  });

  test('of definitions it sees what differs, and nothing else', async () => {
    expect(await databaseDifferences(first, second)).toEqual([]);
    await withClient(server, second.name, async (client) => {
      for (const [sql] of schemaChanges) await client.query(sql);
    });
    const differences = await databaseDifferences(first, second);
    const expected = schemaChanges.flatMap(([, patterns]) => patterns);
    expect(expected.filter((pattern) => !differences.some((difference) => pattern.test(difference)))).toEqual([]);
    expect(differences.filter((difference) => !expected.some((pattern) => pattern.test(difference)))).toEqual([]);
  });

  test('two databases with one of everything, made one after the other, are equal', async () => {
    const one = await createEverything(server, { bigRowBytes: 10_000 });
    const other = await createEverything(server, { bigRowBytes: 10_000 });
    expect(await databaseDifferences(one, other)).toEqual([]);
    await one.drop();
    await other.drop();
  });
});
