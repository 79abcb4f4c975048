import { afterAll, beforeAll, expect, test } from 'vitest';
import { readPlannedCode } from '../../shared/postgres/planned-code/planned-code.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase, withClient } from '../support/servers.ts';

const OWNER = 'planned_code_owner';

/** Expressions of an index on `t (n int, note text)`, and whether planning runs the function `f`, which tells of it. */
const expressions: Readonly<Record<string, { on: string; named: boolean }>> = {
  column: { on: "(s.f('a', note))", named: false },
  column_of_another_type: { on: '(s.f(v, note))', named: false },
  column_in_condition: { on: "(n) WHERE s.f('a', note) <> ''", named: false },
  constant: { on: "((s.f('a', 'b') || note))", named: true },
  constant_in_condition: { on: "(n) WHERE s.f('a', 'b') <> '' AND n > 0", named: true },
  constant_in_argument: { on: "(s.f(s.f('a', 'b'), note))", named: true },
  column_that_goes: { on: "(s.f('a', CASE WHEN true THEN 'b' ELSE note END))", named: true },
  column_that_coalesces: { on: "(s.f('a', coalesce('b', note)))", named: true },
  language_sql: { on: '(s.by_sql(note))', named: true },
  language_sql_kept: { on: '(s.by_sql_kept(note))', named: false },
  operator: { on: "((note OPERATOR(s.+) 'a'))", named: true },
  of_superuser: { on: "((s.trusted('a') || note))", named: false },
  own: { on: '(lower(note))', named: false },
};

forEachServer((server) => {
  let database: ScratchDatabase;
  beforeAll(async () => {
    database = await createScratchDatabase(server);
    await withClient(server, database.name, (client) =>
      client.query(`
      CREATE ROLE ${OWNER}; CREATE SCHEMA s; GRANT USAGE, CREATE ON SCHEMA s TO ${OWNER};
      CREATE FUNCTION s.trusted(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1';
      SET ROLE ${OWNER};
      CREATE FUNCTION s.f(text, text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN RAISE NOTICE 'ran as %', current_user; RETURN $1 || $2; END $$;
      CREATE FUNCTION s.by_sql(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT s.f('a', 'b') || $1 $$;
      CREATE FUNCTION s.by_sql_kept(text) RETURNS text IMMUTABLE LANGUAGE sql SET search_path = '' AS $$ SELECT s.f('a', 'b') || $1 $$;
      CREATE OPERATOR s.+ (LEFTARG = text, RIGHTARG = text, FUNCTION = s.f);
      ${Object.entries(expressions)
        .map(
          ([name, { on }]) =>
            `CREATE TABLE s.${name} (n int, note text, v varchar(9)); CREATE INDEX of_${name} ON s.${name} ${on};`,
        )
        .join('\n')}
      CREATE TABLE s.parent (n int, note text) PARTITION BY LIST ((s.f('a', 'b') || note));
      CREATE TABLE s.child PARTITION OF s.parent DEFAULT`),
    );
  });
  afterAll(async () => {
    await database?.drop();
    await withClient(server, 'postgres', (client) => client.query(`DROP ROLE ${OWNER}`));
  });

  test.each(Object.entries(expressions))('is named where planning runs it: %s', async (name, { named }) => {
    await withClient(server, database.name, async (client) => {
      const ran: string[] = [];
      client.on('notice', ({ message }) => ran.push(message ?? ''));
      await client.query(`SET constraint_exclusion = off`);
      await client.query(`SELECT n FROM s.${name} WHERE ctid > '(0,0)'`);
      const { rows } = await client.query<{ oid: number }>(`SELECT 's.${name}'::regclass::oid::int AS oid`);
      const code = await readPlannedCode(client);
      expect(code.has(rows[0]?.oid ?? 0)).toBe(named);
      // What runs is named; what is named may run.
      if (ran.length > 0) expect([name, named]).toEqual([name, true]);
      ran.length = 0;
      await client.query(`COPY s.${name} TO STDOUT`).catch(() => undefined);
      expect(ran).toEqual([]);
    });
  });

  test('is named for every table of a hierarchy', async () => {
    await withClient(server, database.name, async (client) => {
      const { rows } = await client.query<{ oid: number }>(
        `SELECT c::regclass::oid::int AS oid FROM unnest(ARRAY['s.parent', 's.child']) c`,
      );
      const code = await readPlannedCode(client);
      expect(rows.map(({ oid }) => code.get(oid))).toEqual(Array(2).fill('partition key calls s.f(text,text)'));
    });
  });
});
