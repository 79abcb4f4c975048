/** What became of definitions after a base was taken, and what a restore of it has to have. */
export interface History {
  name: string;
  /** Before the base; each text is sent alone. `$database` is the database's name, `$role_1` and `$role_2` are roles. */
  setup: readonly string[];
  /** After it, in a session of its own. One that begins with `!` fails. */
  changes: readonly string[];
  /** Answers what is looked at. */
  look: string;
  /** The answer of the source, and of a restore. */
  right: unknown;
  /** A restore is refused before it begins, for a reason with this in it. */
  refused?: string;
  /** The base is a backup, restored as every backup is; by default a copy of the database. */
  byBackup?: boolean;
  since?: number;
}

const filled = [
  'CREATE TABLE t (id int PRIMARY KEY)',
  'INSERT INTO t VALUES (1), (2), (3)',
  "ALTER TABLE t ADD COLUMN status text NOT NULL DEFAULT 'new'",
  "UPDATE t SET status = 'paid' WHERE id = 1",
  "INSERT INTO t VALUES (4, 'shipped')",
];
const statuses = (table: string, column = 'status'): string =>
  `SELECT string_agg(${column}, ',' ORDER BY id) AS found FROM ${table}`;
const kept = 'paid,new,new,shipped';

const renames: History[] = [
  {
    name: 'keeps the rows of a table that is renamed, of which a column was added with a default',
    setup: filled,
    changes: ['ALTER TABLE t RENAME TO orders'],
    byBackup: true,
    look: statuses('orders'),
    right: kept,
  },
  {
    name: 'keeps the rows of a column that is renamed, which was added with a default',
    setup: filled,
    changes: ['ALTER TABLE t RENAME COLUMN status TO state'],
    byBackup: true,
    look: statuses('t', 'state'),
    right: kept,
  },
  {
    name: 'keeps the rows of a table that is moved to another schema',
    setup: [...filled, 'CREATE SCHEMA other'],
    changes: ['ALTER TABLE t SET SCHEMA other'],
    byBackup: true,
    look: statuses('other.t'),
    right: kept,
  },
  {
    name: 'keeps the rows of tables whose schema is renamed',
    setup: ['CREATE SCHEMA old', 'SET search_path = old', ...filled],
    changes: ['ALTER SCHEMA old RENAME TO young', "ALTER TABLE young.t ADD note text DEFAULT 'added'"],
    byBackup: true,
    look: statuses('young.t', "status || ' ' || note"),
    right: 'paid added,new added,new added,shipped added',
  },
  {
    name: 'keeps the rows of two tables that change names, and fills the column that is added',
    setup: [
      ...filled,
      'CREATE TABLE u (id int PRIMARY KEY)',
      'INSERT INTO u VALUES (1)',
      "ALTER TABLE u ADD status text DEFAULT 'u'",
    ],
    changes: [
      'ALTER TABLE t RENAME TO w',
      'ALTER TABLE u RENAME TO t',
      'ALTER TABLE w RENAME TO u',
      'ALTER TABLE u RENAME status TO before',
      'ALTER TABLE u ADD COLUMN status timestamptz DEFAULT now()',
      "UPDATE u SET status = '2000-01-01Z' WHERE id = 1",
    ],
    byBackup: true,
    look: `SELECT (SELECT string_agg(before, ',' ORDER BY id) FROM u) || ' ' || (SELECT status FROM t) || ' ' || (SELECT count(*) FROM u WHERE status > '2001-01-01') AS found`,
    right: `${kept} u 3`,
  },
  {
    name: 'keeps the rows of a partition that is renamed while it is attached',
    setup: [...filled, 'CREATE TABLE parts (id int PRIMARY KEY, status text NOT NULL) PARTITION BY RANGE (id)'],
    changes: [
      'ALTER TABLE parts ATTACH PARTITION t FOR VALUES FROM (0) TO (100)',
      'ALTER TABLE t RENAME TO parts_0',
      'ALTER TABLE parts RENAME status TO state',
      'ALTER TABLE parts ADD COLUMN more int DEFAULT 7',
    ],
    byBackup: true,
    look: statuses('parts', 'state || more'),
    right: 'paid7,new7,new7,shipped7',
  },
];

const settings: History[] = [
  {
    name: 'converts bytea to text as bytea_output of the database says',
    setup: [
      'ALTER DATABASE $database SET bytea_output = escape',
      'CREATE TABLE t (a int PRIMARY KEY, b bytea)',
      "INSERT INTO t VALUES (1, '\\x01416263ff'), (2, 'abc')",
    ],
    changes: ['ALTER TABLE t ALTER b TYPE text'],
    look: "SELECT string_agg(b, ',' ORDER BY a) AS found FROM t",
    right: '\\001Abc\\377,abc',
  },
  {
    name: 'gives an added column the exact value of a floating-point default, whatever extra_float_digits is',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      'INSERT INTO t VALUES (1)',
      'ALTER DATABASE $database SET extra_float_digits = 0',
    ],
    changes: ['ALTER TABLE t ADD f float8 DEFAULT 0.1::float8 + 0.2::float8'],
    look: 'SELECT f::numeric = 0.3 AS rounded, f = 0.1::float8 + 0.2::float8 AS exact FROM t',
    right: undefined,
  },
  {
    name: 'converts floating-point numbers to text as extra_float_digits of the session says',
    setup: ['CREATE TABLE t (a int PRIMARY KEY, b float8)', 'INSERT INTO t VALUES (1, 0.1::float8 + 0.2::float8)'],
    changes: ['SET extra_float_digits = -3', 'ALTER TABLE t ALTER b TYPE text'],
    look: 'SELECT b AS found FROM t',
    right: '0.3',
  },
  {
    name: 'converts times to text as DateStyle, TimeZone and IntervalStyle of the session say',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY, b timestamptz, c interval)',
      "INSERT INTO t VALUES (1, '2026-03-04 12:00Z', '1 day 02:03')",
    ],
    changes: [
      "SET DateStyle = 'SQL, DMY'",
      "SET TimeZone = 'Asia/Tokyo'",
      "SET IntervalStyle = 'iso_8601'",
      'ALTER TABLE t ALTER b TYPE text, ALTER c TYPE text',
    ],
    look: "SELECT b || ' ' || c AS found FROM t",
    right: '04/03/2026 21:00:00 JST P1DT2H3M',
  },
  {
    name: 'gives an added column a default of bytea, an interval and a time exactly under settings of the session',
    setup: ['CREATE TABLE t (a int PRIMARY KEY)', 'INSERT INTO t VALUES (1)'],
    changes: [
      "SET DateStyle = 'German, DMY'",
      'SET bytea_output = escape',
      "SET IntervalStyle = 'sql_standard'",
      "ALTER TABLE t ADD b bytea DEFAULT '\\x00ff5c', ADD d timestamptz DEFAULT now(), ADD i interval DEFAULT '-1 day -2 hours', ADD l text[] DEFAULT ARRAY[NULL, 'NULL', 'a\"b']",
    ],
    look: "SELECT encode(b, 'hex') AS b, extract(epoch FROM d)::text AS d, extract(epoch FROM i)::text AS i, l FROM t",
    right: undefined,
  },
  {
    name: 'reads a NULL in an array as array_nulls of the session says',
    setup: ['CREATE TABLE t (a int PRIMARY KEY, b text)', "INSERT INTO t VALUES (1, '{NULL}')"],
    changes: ['SET array_nulls = off', "ALTER TABLE t ADD c text[] DEFAULT '{NULL}'", 'INSERT INTO t VALUES (2)'],
    look: 'SELECT array_agg(c[1] ORDER BY a) AS found FROM t',
    right: ['NULL', 'NULL'],
  },
  {
    name: 'parses a text with the configuration for text search of the session',
    setup: ['CREATE TABLE t (a int PRIMARY KEY, b text)', "INSERT INTO t VALUES (1, 'running')"],
    changes: [
      "SET default_text_search_config = 'pg_catalog.english'",
      "CREATE FUNCTION f(text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS 'SELECT to_tsvector($1)'",
      "ALTER TABLE t ADD v tsvector DEFAULT to_tsvector('running')",
    ],
    look: 'SELECT v::text AS found FROM t',
    right: "'run':1",
  },
];

const temporary: History[] = [
  {
    name: 'passes over a temporary table that a function makes with CREATE TABLE AS',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      'CREATE FUNCTION rep() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE tmp_rep ON COMMIT DROP AS SELECT * FROM t; RETURN (SELECT count(*) FROM tmp_rep); END $$',
    ],
    changes: ['SELECT rep()', 'INSERT INTO t VALUES (11)'],
    look: 'SELECT a AS found FROM t',
    right: 11,
  },
  {
    name: 'passes over a temporary table that is made with other statements in one string',
    setup: ['CREATE TABLE t (a int PRIMARY KEY)'],
    changes: ['BEGIN; CREATE TEMP TABLE x AS SELECT * FROM t; COMMIT', 'INSERT INTO t VALUES (11)'],
    look: 'SELECT a AS found FROM t',
    right: 11,
  },
  {
    name: 'passes over a temporary table made by a DO block from a query that writes rows',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      'CREATE FUNCTION put(n int) RETURNS int LANGUAGE sql AS $$ INSERT INTO t VALUES (n) RETURNING a $$',
    ],
    changes: [
      'DO $$ BEGIN CREATE TEMP TABLE x AS SELECT put(n) FROM generate_series(1, 3) AS n; DROP TABLE x; END $$',
      'CREATE TEMP TABLE y AS SELECT put(4) AS n',
      'SELECT put(5) AS n INTO TEMP z',
    ],
    look: 'SELECT sum(a)::int AS found FROM t',
    right: 15,
  },
  {
    name: 'repeats a CREATE TABLE AS that is begun before one of a temporary table in a function',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      'CREATE FUNCTION rep() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE inner_one AS SELECT 7::bigint AS n; RETURN (SELECT n FROM inner_one); END $$',
    ],
    changes: ['CREATE TABLE made AS SELECT rep() AS n', 'INSERT INTO made VALUES (8)'],
    look: 'SELECT sum(n)::int AS found FROM made',
    right: 15,
  },
  {
    name: 'passes over privileges, triggers, rules, policies, statistics and comments of temporary tables',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      'CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$',
    ],
    changes: [
      'CREATE TEMP TABLE x (a int, b int)',
      'GRANT SELECT ON x TO PUBLIC',
      'CREATE TRIGGER tr BEFORE INSERT ON x FOR EACH ROW EXECUTE FUNCTION tf()',
      "COMMENT ON TRIGGER tr ON x IS 'of a temporary table'",
      'ALTER TABLE x DISABLE TRIGGER tr',
      'CREATE RULE r AS ON DELETE TO x DO INSTEAD NOTHING',
      'CREATE POLICY p ON x USING (true)',
      'ALTER POLICY p ON x USING (false)',
      'CREATE STATISTICS public.s ON a, b FROM x',
      'ALTER TABLE x ADD CONSTRAINT c CHECK (a > 0)',
      "COMMENT ON CONSTRAINT c ON x IS 'too'",
      'DROP STATISTICS public.s',
      'DROP POLICY p ON x',
      'DROP RULE r ON x',
      'DROP TRIGGER tr ON x',
      'CREATE VIEW v AS SELECT a FROM x',
      'CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
      'REVOKE ALL ON x FROM PUBLIC',
      'INSERT INTO t VALUES (1)',
    ],
    look: 'SELECT a AS found FROM t',
    right: 1,
  },
  {
    name: 'refuses a table that is made from a temporary one',
    setup: ['CREATE TABLE t (a int PRIMARY KEY)'],
    changes: [
      'CREATE TEMP TABLE stage (a int, b text)',
      "INSERT INTO stage VALUES (1, 'x')",
      'CREATE TABLE final AS SELECT * FROM stage',
      'INSERT INTO t VALUES (1)',
    ],
    look: 'SELECT a AS found FROM final',
    right: 1,
    refused: 'names stage, which is temporary',
  },
  {
    name: 'refuses a table that is made like a temporary one, and a view with its columns in a function',
    setup: ['CREATE TABLE t (a int PRIMARY KEY)'],
    changes: [
      'CREATE TEMP TABLE "Stage" (a int, b text)',
      'CREATE TABLE final (LIKE "Stage")',
      'INSERT INTO t VALUES (1)',
    ],
    look: 'SELECT count(*)::int AS found FROM final',
    right: 0,
    refused: 'which is temporary',
  },
  {
    name: 'refuses a table that is made from pg_temp by name',
    setup: ['CREATE TABLE t (a int PRIMARY KEY)'],
    changes: ['CREATE TEMP TABLE stage AS SELECT 1 AS a', 'CREATE TABLE final AS SELECT * FROM pg_temp.stage'],
    look: 'SELECT a AS found FROM final',
    right: 1,
    refused: 'which is temporary',
  },
];

const noops: History[] = [
  {
    name: 'goes on over a materialized view that is refreshed concurrently',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      'CREATE MATERIALIZED VIEW m AS SELECT * FROM t',
      'CREATE UNIQUE INDEX ON m (a)',
    ],
    changes: ['INSERT INTO t VALUES (1)', 'REFRESH MATERIALIZED VIEW CONCURRENTLY m', 'INSERT INTO t VALUES (2)'],
    look: 'SELECT sum(a)::int AS found FROM t',
    right: 3,
  },
  {
    name: 'goes on over a refresh in a function and one in a transaction with others',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      'CREATE MATERIALIZED VIEW m AS SELECT * FROM t',
      'CREATE UNIQUE INDEX ON m (a)',
      'CREATE FUNCTION again() RETURNS void LANGUAGE plpgsql AS $$ BEGIN REFRESH MATERIALIZED VIEW CONCURRENTLY m; END $$',
    ],
    changes: [
      'INSERT INTO t VALUES (1); SELECT again(); INSERT INTO t VALUES (2)',
      'CREATE TABLE made (n int PRIMARY KEY)',
      'BEGIN',
      'INSERT INTO made VALUES (4)',
      'REFRESH MATERIALIZED VIEW CONCURRENTLY m',
      'COMMIT',
    ],
    look: 'SELECT (SELECT sum(a) FROM t)::int + (SELECT sum(n) FROM made)::int AS found',
    right: 7,
  },
  {
    name: 'goes on over what an application sends at its start',
    setup: ['CREATE TABLE t (a int PRIMARY KEY, b int)', 'CREATE INDEX t_b ON t (b)'],
    changes: [
      'CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY, b int); CREATE INDEX IF NOT EXISTS t_b ON t (b); INSERT INTO t VALUES (1, 1)',
    ],
    look: 'SELECT a AS found FROM t',
    right: 1,
  },
  {
    name: 'goes on over other statements that find all as they want it, in one string, a function and a DO block',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY, b int)',
      "CREATE TYPE mood AS ENUM ('calm')",
      'CREATE SEQUENCE s',
      'CREATE MATERIALIZED VIEW m AS SELECT 1 AS n',
      'CREATE SCHEMA app',
      'CREATE FUNCTION start() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE t ADD COLUMN IF NOT EXISTS b int; CREATE SCHEMA IF NOT EXISTS app; END $$',
    ],
    changes: [
      'SELECT start()',
      `DO $$ BEGIN INSERT INTO t VALUES (2, 2); ALTER TYPE mood ADD VALUE IF NOT EXISTS 'calm'; ALTER TABLE t DROP COLUMN IF EXISTS nothing; ALTER TABLE t DROP CONSTRAINT IF EXISTS nothing; END $$`,
      'CREATE SEQUENCE IF NOT EXISTS s; CREATE MATERIALIZED VIEW IF NOT EXISTS m AS SELECT 1 AS n; DROP TABLE IF EXISTS nothing; DROP INDEX IF EXISTS nothing; CREATE TABLE IF NOT EXISTS t AS SELECT 1 AS a',
      'ALTER TABLE IF EXISTS nothing ADD a int; ALTER TABLE t ADD COLUMN IF NOT EXISTS b int; INSERT INTO t VALUES (1, 1)',
      'CREATE EXTENSION IF NOT EXISTS plpgsql; INSERT INTO t VALUES (3, 3)',
    ],
    look: 'SELECT sum(a)::int AS found FROM t',
    right: 6,
  },
  {
    name: 'ends where one of several statements changes something',
    setup: ['CREATE TABLE t (a int PRIMARY KEY, b int)'],
    changes: ['ALTER TABLE t ADD COLUMN IF NOT EXISTS b int; ALTER TABLE t ADD COLUMN IF NOT EXISTS c int DEFAULT 5'],
    look: 'SELECT count(*)::int AS found FROM t',
    right: 0,
    refused: 'was sent together with other statements',
  },
  {
    name: 'ends where a DO block drops a constraint in the transaction of other changes',
    setup: ['CREATE TABLE t (a int PRIMARY KEY, b int CONSTRAINT positive CHECK (b > 0))'],
    changes: ['DO $$ BEGIN INSERT INTO t VALUES (1, 1); ALTER TABLE t DROP CONSTRAINT IF EXISTS positive; END $$'],
    look: 'SELECT count(*)::int AS found FROM t',
    right: 1,
    refused: 'was run by a function or a DO block',
  },
];

const indexes: History[] = [
  {
    name: 'passes over an index that was left invalid and is dropped',
    setup: ['CREATE TABLE t (a int PRIMARY KEY, b int)', 'INSERT INTO t VALUES (1, 1), (2, 1)'],
    changes: ['!CREATE UNIQUE INDEX CONCURRENTLY t_b ON t (b)', 'DROP INDEX t_b', 'INSERT INTO t VALUES (3, 3)'],
    look: 'SELECT sum(a)::int AS found FROM t',
    right: 6,
  },
  {
    name: 'passes over an invalid index that is renamed, commented on and dropped with another one',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY, b int)',
      'INSERT INTO t VALUES (1, 1), (2, 1)',
      'CREATE INDEX other ON t (a, b)',
    ],
    changes: [
      '!CREATE UNIQUE INDEX CONCURRENTLY t_b ON t (b)',
      'ALTER INDEX t_b RENAME TO "T b"',
      `COMMENT ON INDEX "T b" IS 'invalid'`,
      'CREATE INDEX CONCURRENTLY IF NOT EXISTS "T b" ON t (b)',
      'DROP INDEX "T b", other',
      'CREATE INDEX t_b ON t (b)',
    ],
    look: "SELECT string_agg(indexname, ',' ORDER BY indexname) AS found FROM pg_indexes WHERE tablename = 't'",
    right: 't_b,t_pkey',
  },
  {
    name: 'passes over an invalid index that is dropped concurrently',
    setup: ['CREATE TABLE t (a int PRIMARY KEY, b int)', 'INSERT INTO t VALUES (1, 1), (2, 1)'],
    changes: [
      '!CREATE UNIQUE INDEX CONCURRENTLY t_b ON t (b)',
      'DROP INDEX CONCURRENTLY t_b',
      'INSERT INTO t VALUES (3, 3)',
    ],
    look: 'SELECT sum(a)::int AS found FROM t',
    right: 6,
  },
  {
    name: 'repeats the index of a partitioned table that is valid when all its parts are',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY, b int) PARTITION BY RANGE (a)',
      'CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)',
    ],
    changes: [
      'CREATE INDEX t_b ON ONLY t (b)',
      'CREATE INDEX CONCURRENTLY t1_b ON t1 (b)',
      'ALTER INDEX t_b ATTACH PARTITION t1_b',
    ],
    look: "SELECT indisvalid AS found FROM pg_index WHERE indexrelid = 't_b'::regclass",
    right: true,
  },
];

const privileges: History[] = [
  {
    name: 'passes over privileges, comments and owners of large objects',
    setup: ['CREATE TABLE t (a int PRIMARY KEY, o oid)'],
    changes: [
      "INSERT INTO t VALUES (1, lo_from_bytea(7777, 'abc'))",
      'GRANT SELECT ON LARGE OBJECT 7777 TO PUBLIC',
      "COMMENT ON LARGE OBJECT 7777 IS 'large'",
      'ALTER LARGE OBJECT 7777 OWNER TO CURRENT_USER',
      'BEGIN',
      'CREATE TABLE u (a int)',
      "SELECT lo_from_bytea(7778, 'abc')",
      'GRANT SELECT ON LARGE OBJECT 7778 TO PUBLIC',
      'COMMIT',
      'INSERT INTO t VALUES (2, NULL)',
    ],
    look: 'SELECT sum(a)::int AS found FROM t',
    right: 3,
  },
  {
    name: 'repeats what an event trigger, a function and a DO block grant and revoke',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY, b int, c int)',
      'GRANT SELECT, UPDATE ON t TO pg_monitor',
      'GRANT SELECT (b), UPDATE (c) ON t TO pg_monitor',
      `CREATE FUNCTION ef() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE made record; BEGIN
         FOR made IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE command_tag = 'CREATE TABLE' LOOP
           EXECUTE format('GRANT SELECT ON TABLE %s TO pg_monitor', made.object_identity);
         END LOOP; END $$`,
      "CREATE EVENT TRIGGER granting ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION ef()",
    ],
    changes: [
      'CREATE TABLE u (a int PRIMARY KEY)',
      `DO $$ BEGIN REVOKE UPDATE ON t FROM pg_monitor; GRANT INSERT ON t TO pg_monitor WITH GRANT OPTION; REVOKE SELECT (b), UPDATE (c) ON t FROM pg_monitor; GRANT UPDATE (a) ON t TO pg_monitor; END $$`,
      "DO $$ BEGIN CREATE TEMP TABLE x (a int); GRANT ALL ON x TO PUBLIC; EXECUTE 'GRANT EXECUTE ON FUNCTION ef() TO pg_monitor'; GRANT USAGE ON SCHEMA public TO pg_monitor; END $$",
      'GRANT ALL ON t TO PUBLIC; REVOKE DELETE ON t FROM PUBLIC',
    ],
    look: `SELECT string_agg(acl, ' ' ORDER BY acl) AS found
             FROM (SELECT relname || relacl::text FROM pg_class WHERE relname IN ('t', 'u') UNION ALL SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public'
                   UNION ALL SELECT proacl::text FROM pg_proc WHERE proname = 'ef'
                   UNION ALL SELECT attname || attacl::text FROM pg_attribute WHERE attrelid = 't'::regclass) AS a(acl)`,
    right: undefined,
  },
];

const untold: History[] = [
  {
    name: 'refuses after REASSIGN OWNED, of which no event trigger tells',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      'CREATE TABLE v (a int PRIMARY KEY)',
      'CREATE ROLE $role_1; CREATE ROLE $role_2',
      'ALTER TABLE v OWNER TO $role_1',
    ],
    changes: ['REASSIGN OWNED BY $role_1 TO $role_2', 'INSERT INTO t VALUES (1)'],
    look: "SELECT relowner::regrole::text AS found FROM pg_class WHERE relname = 'v'",
    right: undefined,
    refused: 'of which no event trigger tells',
  },
  {
    name: 'refuses after an event trigger was created',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      "CREATE FUNCTION ef() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
    ],
    changes: ['CREATE EVENT TRIGGER later ON ddl_command_end EXECUTE FUNCTION ef()', 'INSERT INTO t VALUES (1)'],
    look: "SELECT count(*)::int AS found FROM pg_event_trigger WHERE evtname = 'later'",
    right: 1,
    refused: 'of which no event trigger tells',
  },
  {
    name: 'refuses after an event trigger was disabled and one was dropped',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      "CREATE FUNCTION ef() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
      'CREATE EVENT TRIGGER one ON ddl_command_end EXECUTE FUNCTION ef()',
    ],
    changes: ['ALTER EVENT TRIGGER one DISABLE', 'INSERT INTO t VALUES (1)'],
    look: "SELECT evtenabled AS found FROM pg_event_trigger WHERE evtname = 'one'",
    right: 'D',
    refused: 'of which no event trigger tells',
  },
  {
    name: 'refuses after a table was clustered by an index',
    setup: ['CREATE TABLE t (a int PRIMARY KEY)', 'INSERT INTO t VALUES (1)'],
    changes: ['CLUSTER t USING t_pkey', 'INSERT INTO t VALUES (2)'],
    look: "SELECT indisclustered AS found FROM pg_index WHERE indexrelid = 't_pkey'::regclass",
    right: true,
    refused: 'of which no event trigger tells',
  },
  {
    name: 'refuses after a catalog was changed by hand, and after an invalid index became valid',
    setup: ['CREATE TABLE t (a int PRIMARY KEY, b int)', 'INSERT INTO t VALUES (1, 1), (2, 1)'],
    changes: ['!CREATE UNIQUE INDEX CONCURRENTLY t_b ON t (b)', 'UPDATE t SET b = 2 WHERE a = 2', 'REINDEX INDEX t_b'],
    look: "SELECT indisvalid AS found FROM pg_index WHERE indexrelid = 't_b'::regclass",
    right: true,
    refused: 'of which no event trigger tells',
  },
  {
    name: 'goes on over what changes no definition: analyzing, vacuuming, clustering again, refreshing',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      'INSERT INTO t VALUES (1)',
      'ALTER TABLE t CLUSTER ON t_pkey',
      'CREATE MATERIALIZED VIEW m AS SELECT * FROM t',
    ],
    changes: [
      'VACUUM FULL t',
      'ANALYZE',
      'CLUSTER t',
      'REINDEX TABLE t',
      'REFRESH MATERIALIZED VIEW m',
      'TRUNCATE t',
      'CREATE TEMP TABLE x (a int PRIMARY KEY)',
      'INSERT INTO t VALUES (2)',
    ],
    look: 'SELECT a AS found FROM t',
    right: 2,
  },
];

const audited = (mode: string): string[] => [
  'CREATE TABLE t (a int PRIMARY KEY)',
  'CREATE TABLE ddl_log (id serial PRIMARY KEY, tag text)',
  'CREATE FUNCTION ef() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ddl_log (tag) VALUES (tg_tag); END $$',
  'CREATE EVENT TRIGGER lg ON ddl_command_end EXECUTE FUNCTION ef()',
  ...(mode === 'ENABLE' ? [] : [`ALTER EVENT TRIGGER lg ${mode}`]),
];
const log = `SELECT (SELECT string_agg(id || tag, ',' ORDER BY id) FROM ddl_log) AS log,
                    (SELECT evtenabled::text FROM pg_event_trigger WHERE evtname = 'lg') AS mode, (SELECT count(*)::int FROM t) AS rows`;

const quiet: History[] = [
  ...(['ENABLE', 'ENABLE ALWAYS', 'ENABLE REPLICA'] as const).map(
    (mode): History => ({
      name: `does not run an event trigger that logs definitions (${mode})`,
      setup: audited(mode),
      changes: ['CREATE TABLE u (a int PRIMARY KEY)', 'INSERT INTO u VALUES (1)', 'INSERT INTO t VALUES (1)'],
      look: log,
      right: undefined,
      byBackup: true,
    }),
  ),
  {
    name: 'does not run it where no definition is changed',
    setup: audited('ENABLE'),
    changes: ['INSERT INTO t VALUES (1)'],
    look: log,
    right: undefined,
    byBackup: true,
  },
  {
    name: 'does not run an event trigger that forbids drops, or one that forbids all',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      "CREATE FUNCTION ef() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no drops here'; END $$",
      'CREATE EVENT TRIGGER nodrop ON sql_drop EXECUTE FUNCTION ef()',
      'ALTER EVENT TRIGGER nodrop ENABLE ALWAYS',
    ],
    changes: ['INSERT INTO t VALUES (1)', 'UPDATE t SET a = 2', 'ALTER TABLE t ADD b int DEFAULT 3'],
    look: "SELECT a || ' ' || b || ' ' || (SELECT evtenabled::text FROM pg_event_trigger WHERE evtname = 'nodrop') AS found FROM t",
    right: '2 3 A',
    byBackup: true,
  },
  {
    name: 'does not run triggers or rules that fire always when it fills an added column',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      'INSERT INTO t VALUES (1)',
      'CREATE TABLE seen (n serial PRIMARY KEY, what text)',
      'CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen (what) VALUES (tg_op); RETURN NEW; END $$',
      'CREATE TRIGGER tr AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tf()',
      'ALTER TABLE t ENABLE ALWAYS TRIGGER tr',
      "CREATE RULE ru AS ON UPDATE TO t DO ALSO INSERT INTO seen (what) VALUES ('rule')",
      'ALTER TABLE t ENABLE ALWAYS RULE ru',
    ],
    changes: ['ALTER TABLE t ADD b timestamptz DEFAULT now()'],
    look: "SELECT (SELECT count(*)::int FROM seen) AS seen, (SELECT b::text FROM t) AS b, (SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'tr') AS mode",
    right: undefined,
  },
  {
    name: 'does not run a login event trigger, and restores it',
    setup: [
      'CREATE TABLE t (a int PRIMARY KEY)',
      'CREATE TABLE logins (n serial PRIMARY KEY)',
      'CREATE FUNCTION ef() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.logins DEFAULT VALUES; END $$',
      'CREATE EVENT TRIGGER greet ON login EXECUTE FUNCTION ef()',
      'ALTER EVENT TRIGGER greet DISABLE',
    ],
    changes: ['INSERT INTO t VALUES (1)'],
    look: "SELECT (SELECT count(*)::int FROM logins) AS logins, (SELECT evtenabled::text FROM pg_event_trigger WHERE evtname = 'greet') AS mode",
    right: { logins: 0, mode: 'D' },
    byBackup: true,
    since: 17,
  },
];

const generated: History[] = [
  {
    name: 'finds rows by a generated column in the primary key',
    setup: [
      'CREATE TABLE t (a int, b text, g int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY)',
      "INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z')",
    ],
    changes: [
      "UPDATE t SET b = 'q' WHERE a = 1",
      'UPDATE t SET a = 7 WHERE a = 2',
      'DELETE FROM t WHERE a = 3',
      "INSERT INTO t VALUES (3, 'new'), (4, 'too')",
    ],
    look: "SELECT string_agg(a || b || g, ',' ORDER BY g) AS found FROM t",
    right: '1q2,3new6,4too8,7y14',
  },
  {
    name: 'finds rows by a key of a generated and a written column, with a large value that is left as it was',
    setup: [
      'CREATE TABLE t (a int, n numeric, large text, g int GENERATED ALWAYS AS (a % 10) STORED, PRIMARY KEY (n, g))',
      'ALTER TABLE t ALTER large SET STORAGE EXTERNAL',
      'INSERT INTO t SELECT n, n / 2.0, repeat(n::text, 9000) FROM generate_series(1, 30) AS n',
    ],
    changes: [
      'UPDATE t SET a = a + 1 WHERE a % 3 = 0',
      'UPDATE t SET n = n + 100 WHERE a % 5 = 0',
      'DELETE FROM t WHERE a = 7',
    ],
    look: "SELECT md5(string_agg(t::text, ',' ORDER BY n, g)) AS found FROM t",
    right: undefined,
  },
  {
    name: 'finds rows by a replica identity with a generated column',
    setup: [
      "CREATE TABLE t (a int NOT NULL, b text, g text GENERATED ALWAYS AS ('k' || a) STORED NOT NULL)".replace(
        "'k' || a",
        "(CASE WHEN a > 0 THEN 'plus' ELSE 'minus' END)",
      ),
      'CREATE UNIQUE INDEX identity ON t (g, a)',
      'ALTER TABLE t REPLICA IDENTITY USING INDEX identity',
      "INSERT INTO t VALUES (1, 'x'), (-2, 'y')",
    ],
    changes: ['UPDATE t SET a = -a', "UPDATE t SET b = 'z' WHERE a = 2"],
    look: "SELECT string_agg(a || b || g, ',' ORDER BY a) AS found FROM t",
    right: '-1xminus,2zplus',
  },
];

const covered: History[] = [
  {
    name: 'refuses at once where each row of a table that has some is given a value of its own',
    setup: ['CREATE TABLE t (a int PRIMARY KEY)', 'INSERT INTO t VALUES (1)'],
    changes: ['ALTER TABLE t ADD b uuid DEFAULT gen_random_uuid()'],
    look: 'SELECT count(b)::int AS found FROM t',
    right: 1,
    refused: 'gave every row a value of its own',
  },
  {
    name: 'repeats the same where there are no rows',
    setup: ['CREATE TABLE t (a int PRIMARY KEY)'],
    changes: ['ALTER TABLE t ADD b uuid DEFAULT gen_random_uuid(), ADD c serial', 'INSERT INTO t VALUES (1)'],
    look: 'SELECT b::text AS found FROM t',
    right: undefined,
  },
];

export const histories: readonly History[] = [
  ...renames,
  ...settings,
  ...temporary,
  ...noops,
  ...indexes,
  ...privileges,
  ...untold,
  ...quiet,
  ...generated,
  ...covered,
];
