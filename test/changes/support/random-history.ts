import fc from 'fast-check';
import type pg from 'pg';

/** A step of a history: what it does, and numbers by which it chooses tables, columns and values. */
export interface Step {
  kind: keyof typeof STEPS;
  a: number;
  b: number;
  c: number;
  /** Whether what it comes to is a moment to restore to. */
  moment: boolean;
}

/** What there is when a step is taken; names are quoted and qualified. */
interface World {
  tables: Table[];
  views: string[];
  indexes: string[];
  schemas: string[];
  n: number;
}

interface Table {
  name: string;
  bare: string;
  partitioned: boolean;
  hasKey: boolean;
  columns: { name: string; type: string; key: boolean; generated: boolean }[];
}

type Make = (world: World, step: Step) => readonly string[];

const pick = <Item>(items: readonly Item[], by: number): Item | undefined => items[by % Math.max(1, items.length)];
const onTable =
  (make: (table: Table, step: Step, world: World) => readonly string[]): Make =>
  (world, step) => {
    const table = pick(world.tables, step.a);
    return table ? make(table, step, world) : [];
  };
const onColumn = (make: (table: Table, column: string, step: Step, world: World) => readonly string[]): Make =>
  onTable((table, step, world) => {
    const column = pick(
      table.columns.filter(({ key, generated }) => !key && !generated),
      step.b,
    );
    return column ? make(table, column.name, step, world) : [];
  });

const DEFAULTS = [
  "text DEFAULT 'new'",
  'timestamptz NOT NULL DEFAULT now()',
  'float8 DEFAULT 0.1::float8 + 0.2::float8',
  "bytea DEFAULT '\\x00ff5c27'",
  "interval DEFAULT '-1 day 02:03:04.5'",
  'numeric(10,2) DEFAULT 1.5',
  "text[] DEFAULT ARRAY[NULL, 'a\"b']",
  'uuid DEFAULT gen_random_uuid()',
  'float8 DEFAULT random()',
  'int',
  'int GENERATED ALWAYS AS (7) STORED',
  'jsonb DEFAULT \'{"a": 1}\'',
] as const;
const TYPES = ['text', 'varchar(40)', 'bytea', 'text[]', 'bigint', 'numeric', 'timestamptz', 'float8'] as const;
const SETTINGS = [
  'SET bytea_output = escape',
  'SET extra_float_digits = -3',
  "SET DateStyle = 'SQL, DMY'",
  "SET TimeZone = 'Asia/Tokyo'",
  "SET IntervalStyle = 'iso_8601'",
  'RESET ALL',
  'SET array_nulls = off',
  'SET quote_all_identifiers = on',
] as const;

/** What is done to definitions. A statement that fails is a part of the history as well. */
const STEPS = {
  createTable: (_, { b }) => [
    `CREATE TABLE t_$n (id int PRIMARY KEY, ${['v text', "v text DEFAULT 'x', w timestamptz DEFAULT now()", 'v bytea, w float8', 'v interval'][b % 4]})`,
    'INSERT INTO t_$n (id) SELECT n FROM generate_series(1, 5) AS n',
  ],
  addColumn: onTable(({ name }, { b }) => [`ALTER TABLE ${name} ADD COLUMN c_$n ${pick(DEFAULTS, b)}`]),
  addTwoColumns: onTable(({ name }, { b, c }) => [
    `ALTER TABLE ${name} ADD c_$n ${pick(DEFAULTS, b)}, ADD d_$n ${pick(DEFAULTS, c)}`,
  ]),
  renameTable: onTable(({ name }) => [`ALTER TABLE ${name} RENAME TO r_$n`]),
  renameColumn: onColumn(({ name }, column) => [`ALTER TABLE ${name} RENAME COLUMN ${column} TO n_$n`]),
  swapNames: onTable(({ name, bare }, { b }, { tables }) => {
    const other = pick(tables, b);
    if (!other || other.name === name) return [];
    const schema = (of: string): string => of.slice(0, of.lastIndexOf('.'));
    return [
      'BEGIN',
      `ALTER TABLE ${name} RENAME TO passing_$n`,
      `ALTER TABLE ${other.name} RENAME TO ${bare}`,
      `ALTER TABLE ${schema(name)}.passing_$n RENAME TO ${other.bare}`,
      'COMMIT',
    ];
  }),
  moveTable: onTable(({ name }, { b }, { schemas }) => [`ALTER TABLE ${name} SET SCHEMA ${pick(schemas, b)}`]),
  renameSchema: ({ schemas }, { a }) => {
    const schema = pick(
      schemas.filter((each) => each !== 'public'),
      a,
    );
    return schema ? [`ALTER SCHEMA ${schema} RENAME TO s_$n`] : [];
  },
  createSchema: () => ['CREATE SCHEMA s_$n'],
  changeType: onColumn(({ name }, column, { c }) => [`ALTER TABLE ${name} ALTER ${column} TYPE ${pick(TYPES, c)}`]),
  changeTypeUsing: onColumn(({ name }, column) => [
    `ALTER TABLE ${name} ALTER ${column} TYPE text USING ${column}::text || 'x'`,
  ]),
  dropColumn: onColumn(({ name }, column) => [`ALTER TABLE ${name} DROP COLUMN ${column} CASCADE`]),
  setDefault: onColumn(({ name }, column) => [`ALTER TABLE ${name} ALTER ${column} DROP DEFAULT`]),
  dropTable: onTable(({ name }) => [`DROP TABLE ${name} CASCADE`]),
  createIndex: onColumn(({ name }, column, { c }) => [
    `CREATE ${c % 3 === 0 ? 'UNIQUE ' : ''}INDEX ${c % 2 === 0 ? 'CONCURRENTLY ' : ''}i_$n ON ${name} (${column})`,
  ]),
  dropIndex: ({ indexes }, { a }) => {
    const index = pick(indexes, a);
    return index ? [`DROP INDEX ${index}`] : [];
  },
  temporaryTable: onTable(
    ({ name }, { b }) =>
      [
        [`CREATE TEMP TABLE x_$n AS SELECT * FROM ${name}`, 'GRANT SELECT ON x_$n TO PUBLIC', 'DROP TABLE x_$n'],
        [`DO $$ BEGIN CREATE TEMP TABLE x_$n ON COMMIT DROP AS SELECT * FROM ${name}; END $$`],
        [`BEGIN; CREATE TEMP TABLE x_$n AS SELECT * FROM ${name}; CREATE INDEX ON x_$n ((1)); COMMIT`],
        [
          'CREATE TEMP TABLE x_$n (a int)',
          'ALTER TABLE x_$n ADD b timestamptz DEFAULT now()',
          'COMMENT ON TABLE x_$n IS $$x$$',
        ],
      ][b % 4] ?? [],
  ),
  tableFromTemporary: onTable(({ name }, { b }) => [
    `CREATE TEMP TABLE y_$n AS SELECT * FROM ${name}`,
    b % 2 === 0 ? 'CREATE TABLE f_$n AS SELECT * FROM y_$n' : 'CREATE TABLE f_$n (LIKE y_$n)',
  ]),
  copyTable: onTable(({ name }, { b }) =>
    b % 2 === 0
      ? [`CREATE TABLE k_$n AS SELECT * FROM ${name}`]
      : [`CREATE TABLE k_$n (LIKE ${name} INCLUDING ALL)`, `INSERT INTO k_$n SELECT * FROM ${name}`],
  ),
  functionWithDefinitions: onTable(({ name }, { b }) => [
    b % 3 === 0
      ? `DO $$ BEGIN EXECUTE 'CREATE TABLE z_$n (id int PRIMARY KEY)'; END $$`
      : b % 3 === 1
        ? `DO $$ BEGIN ALTER TABLE ${name} ADD COLUMN IF NOT EXISTS id int; CREATE SCHEMA IF NOT EXISTS public; END $$`
        : `DO $$ BEGIN GRANT SELECT ON ${name} TO pg_monitor; REVOKE ALL ON ${name} FROM PUBLIC; END $$`,
  ]),
  partitioned: (_, { b }) => [
    'CREATE TABLE p_$n (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)',
    'CREATE TABLE p_$n_a PARTITION OF p_$n FOR VALUES FROM (0) TO (10)',
    ...(b % 2 === 0 ? ['CREATE TABLE p_$n_b PARTITION OF p_$n DEFAULT'] : []),
    "INSERT INTO p_$n SELECT n, 'v' FROM generate_series(1, 9) AS n",
  ],
  attach: onTable(({ name }, { b }, { tables }) => {
    const parent = pick(
      tables.filter(({ partitioned }) => partitioned),
      b,
    );
    return parent ? [`ALTER TABLE ${parent.name} ATTACH PARTITION ${name} FOR VALUES FROM (100) TO (200)`] : [];
  }),
  newPartition: onTable(({ name, partitioned }) =>
    partitioned
      ? [
          `CREATE TABLE q_$n PARTITION OF ${name} FOR VALUES FROM (20) TO (30)`,
          `ALTER TABLE ${name} DETACH PARTITION q_$n`,
        ]
      : [],
  ),
  materializedView: onTable(({ name }) => [
    `CREATE MATERIALIZED VIEW m_$n AS SELECT id FROM ${name}`,
    'CREATE UNIQUE INDEX ON m_$n (id)',
    'REFRESH MATERIALIZED VIEW CONCURRENTLY m_$n',
  ]),
  refresh: ({ views }, { a }) => {
    const view = pick(views, a);
    return view ? [`REFRESH MATERIALIZED VIEW CONCURRENTLY ${view}`, `REFRESH MATERIALIZED VIEW ${view}`] : [];
  },
  view: onTable(({ name }) => [`CREATE VIEW v_$n AS SELECT * FROM ${name}`, 'COMMENT ON VIEW v_$n IS $$seen$$']),
  trigger: onTable(({ name }, { b }) => [
    `CREATE TRIGGER tr_$n AFTER INSERT OR UPDATE ON ${name} FOR EACH ROW EXECUTE FUNCTION note_row()`,
    ...(b % 2 === 0 ? [`ALTER TABLE ${name} ENABLE ALWAYS TRIGGER tr_$n`] : []),
  ]),
  eventTrigger: (_, { b }) => [
    'CREATE EVENT TRIGGER e_$n ON ddl_command_end EXECUTE FUNCTION note_command()',
    ...(b % 2 === 0 ? ['ALTER EVENT TRIGGER e_$n ENABLE ALWAYS'] : []),
  ],
  setting: (_, { b }) => [pick(SETTINGS, b) ?? ''],
  grant: onTable(({ name }, { b }) => [
    [
      'GRANT SELECT ON $t TO PUBLIC',
      'REVOKE SELECT ON $t FROM PUBLIC',
      'GRANT ALL ON $t TO pg_monitor WITH GRANT OPTION',
      'GRANT UPDATE (id) ON $t TO pg_monitor',
    ][b % 4]?.replace('$t', name) ?? '',
  ]),
  noops: onTable(({ name }) => [
    `CREATE TABLE IF NOT EXISTS ${name} (id int); ALTER TABLE ${name} ADD COLUMN IF NOT EXISTS id int; DROP TABLE IF EXISTS nowhere; INSERT INTO log_rows (what) VALUES ('start')`,
  ]),
  rolledBack: onTable(({ name }, { b }) => [
    'BEGIN',
    `ALTER TABLE ${name} ADD k_$n int DEFAULT 1`,
    'SAVEPOINT s',
    `ALTER TABLE ${name} ADD l_$n text DEFAULT 'rolled back'`,
    `CREATE TABLE l_$n AS SELECT * FROM ${name}`,
    'ROLLBACK TO SAVEPOINT s',
    `ALTER TABLE ${name} ADD l_$n text DEFAULT 'kept'`,
    b % 2 === 0 ? 'COMMIT' : 'ROLLBACK',
  ]),
  keyOfOwn: onTable(({ name, hasKey }) =>
    hasKey ? [`ALTER TABLE ${name} REPLICA IDENTITY FULL`] : [`ALTER TABLE ${name} ADD PRIMARY KEY (id)`],
  ),
  truncate: onTable(({ name }) => [`TRUNCATE ${name} CASCADE`]),
  constraint: onColumn(({ name }, column, { c }) => [
    c % 2 === 0
      ? `ALTER TABLE ${name} ADD CONSTRAINT k_$n CHECK (${column} IS NOT NULL OR true) NOT VALID`
      : `ALTER TABLE ${name} VALIDATE CONSTRAINT k_$n`,
  ]),
  enumeration: (_, { b }) =>
    b % 2 === 0
      ? [
          "CREATE TYPE en_$n AS ENUM ('a', 'b')",
          'CREATE TABLE ent_$n (id int PRIMARY KEY, e en_$n)',
          "INSERT INTO ent_$n VALUES (1, 'b')",
          "ALTER TYPE en_$n ADD VALUE 'c' BEFORE 'b'",
          "INSERT INTO ent_$n VALUES (2, 'c')",
          "ALTER TYPE en_$n RENAME VALUE 'a' TO 'z'",
        ]
      : [
          'CREATE DOMAIN dom_$n AS int CHECK (VALUE < 1000)',
          'CREATE TABLE domt_$n (id int PRIMARY KEY, e dom_$n DEFAULT 5)',
          'INSERT INTO domt_$n VALUES (1)',
        ],
  cluster: onTable(({ bare, name }) => [`CLUSTER ${name} USING ${bare}_pkey`]),
  extension: (_, { b }) =>
    b % 2 === 0 ? ["CREATE EXTENSION IF NOT EXISTS pg_trgm VERSION '1.5'"] : ['ALTER EXTENSION pg_trgm UPDATE'],
} satisfies Record<string, Make>;

const kinds = Object.keys(STEPS) as (keyof typeof STEPS)[];
/** The more frequent ones first in a shrunk history. */
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    ...kinds,
    'createTable',
    'addColumn',
    'renameTable',
    'renameColumn',
    'addTwoColumns',
    'changeType',
  ),
  a: fc.nat(20),
  b: fc.nat(40),
  c: fc.nat(40),
  moment: fc.boolean(),
});

export const randomHistory: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 4, maxLength: 14 });

/** Before the base. */
export const beginningSql = `
CREATE TABLE steps (n int PRIMARY KEY);
CREATE TABLE log_rows (n serial PRIMARY KEY, what text);
CREATE FUNCTION note_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log_rows (what) VALUES (tg_op); RETURN NEW; END $$;
CREATE FUNCTION note_command() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log_rows (what) VALUES (tg_tag); END $$;
CREATE TABLE old (id int PRIMARY KEY, v text);
INSERT INTO old SELECT n, n::text FROM generate_series(1, 20) AS n;
ALTER TABLE old ADD COLUMN status text NOT NULL DEFAULT 'new';
ALTER TABLE old ADD COLUMN at timestamptz DEFAULT now();
UPDATE old SET status = 'paid' WHERE id < 4;
CREATE EVENT TRIGGER audited ON ddl_command_end EXECUTE FUNCTION note_command();`;

const WORLD = `
SELECT format('%I.%I', n.nspname, c.relname) AS name, quote_ident(c.relname) AS bare, c.relkind = 'p' AS partitioned,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS "hasKey",
       (SELECT jsonb_agg(jsonb_build_object('name', quote_ident(a.attname), 'type', format_type(a.atttypid, NULL), 'generated', a.attgenerated <> '',
                'key', EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey))) ORDER BY a.attnum)
          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema|dbms_)' AND c.relname NOT IN ('steps', 'log_rows')
 ORDER BY c.oid`;

async function look(client: pg.Client, n: number): Promise<World> {
  const names = async (sql: string): Promise<string[]> =>
    (await client.query<{ name: string }>(sql)).rows.map(({ name }) => name);
  return {
    n,
    tables: (await client.query<Table>(WORLD)).rows.map((table) => ({ ...table, columns: table.columns ?? [] })),
    views: await names(
      "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'm' AND relnamespace <> (SELECT coalesce(to_regnamespace('dbms_changes')::oid, 0)) ORDER BY oid",
    ),
    indexes: await names(
      "SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid WHERE c.relname ~ '^i_' ORDER BY c.oid",
    ),
    schemas: await names(
      "SELECT quote_ident(nspname) AS name FROM pg_namespace WHERE nspname = 'public' OR nspname ~ '^s_' ORDER BY oid",
    ),
  };
}

/** Takes a step. Its statements are sent one after the other; after one that fails, what is open is rolled back. */
export async function takeStep(client: pg.Client, of: Step, n: number): Promise<string[]> {
  const world = await look(client, n);
  const make: Make = STEPS[of.kind];
  const sent: string[] = [];
  for (const statement of make(world, of)) {
    const sql = statement.replaceAll('$n', String(n));
    try {
      await client.query(sql);
      sent.push(sql);
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      sent.push(`-- ${(error as Error).message}: ${sql}`);
      break;
    }
  }
  return sent;
}

/** What a writer does meanwhile, to whichever table: rows come, change and go. */
export async function writeRows(client: pg.Client, seed: number): Promise<void> {
  const random = fc.sample(fc.nat(1000), { numRuns: 24, seed });
  for (let index = 0; index + 3 < random.length; index += 4) {
    const [which = 0, what = 0, id = 0, column = 0] = random.slice(index, index + 4);
    const { tables } = await look(client, 0);
    const table = pick(tables, which);
    if (!table) return;
    const key = table.columns.find((each) => each.key || each.name === 'id');
    if (!key) continue;
    const text = pick(
      table.columns.filter((each) => !each.key && !each.generated && /^(text|character varying)/.test(each.type)),
      column,
    );
    const value = `${id % 40}`;
    const statements = [
      `INSERT INTO ${table.name} (${key.name}) VALUES ('${value}')`,
      ...(table.hasKey && text
        ? [`UPDATE ${table.name} SET ${text.name} = 'w${id}' WHERE ${key.name}::text = '${value}'`]
        : []),
      ...(table.hasKey ? [`DELETE FROM ${table.name} WHERE ${key.name}::text = '${value}'`] : []),
    ];
    await client.query(pick(statements, what) ?? 'SELECT').catch(() => undefined);
  }
}
