import { afterAll, beforeAll, expect, test } from 'vitest';
import { planMasking } from '../../shared/masking/plan/plan-masking.ts';
import { createTableMasker } from '../../shared/masking/table-masker.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase } from '../support/servers.ts';
import { KEY, parseMask } from './support/mask-value.ts';

const setUp = `
CREATE SCHEMA s;
CREATE DOMAIN s.code AS varchar(12) NOT NULL CHECK (VALUE ~ '^[A-Z]{2}-[0-9]+$');
CREATE DOMAIN s.short AS varchar(6);
CREATE TYPE s.mood AS ENUM ('good', 'bad');
CREATE TABLE s.people (
  id int PRIMARY KEY, email varchar(60) UNIQUE, login text NOT NULL, nick text, code s.code, short s.short, mood s.mood,
  born date CHECK (born > '1900-01-01'), salary numeric(8,2), low int, high int, CONSTRAINT in_order CHECK (low < high),
  upper_nick text GENERATED ALWAYS AS (upper(nick)) STORED, tag text DEFAULT 'a person''s tag', once text, fields jsonb, tags varchar(6)[], moods s.mood[],
  CONSTRAINT nick_unlike CHECK (upper_nick <> 'ROOT'));
CREATE UNIQUE INDEX folded ON s.people (lower(login));
CREATE UNIQUE INDEX partial ON s.people (tag) WHERE once IS NOT NULL;
CREATE TABLE s.orders (id int PRIMARY KEY, person int REFERENCES s.people, email varchar(60) REFERENCES s.people (email), mail varchar(50) REFERENCES s.people (email));
CREATE TABLE s.rooms (room int, name text, EXCLUDE USING btree (name WITH =));
CREATE TABLE s.events (at date NOT NULL, kind text, name text) PARTITION BY RANGE (at, lower(kind));
CREATE TABLE s.events_1 PARTITION OF s.events FOR VALUES FROM ('2020-01-01', 'a') TO ('2021-01-01', 'z');
CREATE TABLE s.child (more text) INHERITS (s.rooms);
CREATE VIEW s.seen AS SELECT * FROM s.people;
INSERT INTO s.people (id, email, login, nick, code, mood, born, salary, low, high, tag)
SELECT n, 'p' || n || '@x.example', 'Login' || n, 'nick' || n, 'AB-' || n, 'good', '1970-01-01'::date + n, n, n, n + 1, 'tag ' || n
  FROM generate_series(1, 300) AS n;
CREATE FUNCTION s.called(what text, value text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN true; END $$;
CREATE DOMAIN s.watched AS text CONSTRAINT guarded CHECK (s.called('domain', VALUE)) CONSTRAINT sane CHECK (VALUE <> '');
CREATE TYPE s.both AS (a text, b s.watched);
CREATE TABLE s.traps (
  id int, email s.watched, own text, listed s.watched[], pair s.both, plain text CHECK (plain <> 'x'), xml text,
  CONSTRAINT calls CHECK (s.called('check', own)),
  CONSTRAINT queries CHECK (query_to_xml('SELECT s.called(''query'', NULL)', true, true, xml) IS NOT NULL));
INSERT INTO s.traps VALUES (1, 'a@b.example', 'x', '{a}', '(a,b)', 'y', 'z');
CREATE OPERATOR s.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = s.called);
CREATE OR REPLACE FUNCTION s.called(what text, value text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called: %', what; END $$;
INSERT INTO s.orders SELECT n, n, 'p' || n || '@x.example' FROM generate_series(1, 300) AS n;`;

type Given = [table: string, column: string, mask: { rule: string; [option: string]: unknown }];

forEachServer((server) => {
  let database: ScratchDatabase;
  beforeAll(async () => {
    database = await createScratchDatabase(server);
    const client = await database.connect();
    await client.query(setUp);
    await client.end();
  });
  afterAll(() => database?.drop());

  async function plan(given: Given[]) {
    const client = await database.connect();
    try {
      await client.query("SELECT pg_catalog.set_config('search_path', '', false)");
      await client.query('BEGIN READ ONLY');
      const rules = given.map(([table, column, mask]) => ({ schema: 's', table, column, mask: parseMask(mask) }));
      const signal = new AbortController().signal;
      return await planMasking(client, { version: 1, rules, maskingKey: KEY }, signal);
    } finally {
      await client.end();
    }
  }

  const refused: [Given[], RegExp][] = [
    [[['nothing', 'id', { rule: 'null' }]], /no table "s"\."nothing"/],
    [[['seen', 'id', { rule: 'null' }]], /no table/],
    [[['people', 'absent', { rule: 'null' }]], /no column absent/],
    [[['people', 'upper_nick', { rule: 'hash' }]], /generated/],
    [[['people', 'login', { rule: 'null' }]], /NOT NULL/],
    [[['people', 'code', { rule: 'null' }]], /NOT NULL/],
    [[['people', 'short', { rule: 'hash' }]], /needs room for 8 characters, the column has 6/],
    [[['people', 'mood', { rule: 'hash' }]], /serves text/],
    [[['people', 'mood', { rule: 'fixed', value: 'neutral' }]], /not of its type .*SQLSTATE 22P02/],
    [[['people', 'fields', { rule: 'fixed', value: '{' }]], /not of its type .*SQLSTATE 22P02/],
    [[['people', 'fields', { rule: 'email' }]], /the rule email serves text, not this type/],
    [[['people', 'tags', { rule: 'hash' }]], /needs room for 8 characters, the column has 6/],
    [[['people', 'moods', { rule: 'hash' }]], /serves text/],
    [[['people', 'tags', { rule: 'fixed', value: 'x' }]], /not of its type .*SQLSTATE 22P02/],
    [[['people', 'code', { rule: 'hash' }]], /its domain's constraints refuse them \(SQLSTATE 23514\)/],
    [[['people', 'email', { rule: 'fixed', value: 'x' }]], /part of the key people_email_key/],
    [[['people', 'login', { rule: 'keep_format' }]], /part of the key folded/],
    [[['people', 'tag', { rule: 'name' }]], /part of the key partial/],
    [[['people', 'once', { rule: 'name' }]], /the key partial is made of it/],
    [[['people', 'born', { rule: 'fixed', value: '1800-01-01' }]], /people_born_check refuses/],
    [[['people', 'low', { rule: 'keep_format' }]], /in_order refuses/],
    [[['people', 'nick', { rule: 'hash' }]], /nick_unlike is on a generated column/],
    [
      [['people', 'email', { rule: 'email' }]],
      /orders_email_fkey joins it with "s"\."orders"\.email, which needs the same rule/,
    ],
    [[['orders', 'email', { rule: 'email' }]], /orders_email_fkey joins it with "s"\."people"\.email/],
    [[['people', 'id', { rule: 'null' }]], /NOT NULL/],
    [
      [
        ['people', 'email', { rule: 'email' }],
        ['orders', 'email', { rule: 'hash' }],
        ['orders', 'mail', { rule: 'null' }],
      ],
      /has another rule/,
    ],
    [
      [
        ['people', 'email', { rule: 'email' }],
        ['orders', 'email', { rule: 'email' }],
        ['orders', 'mail', { rule: 'email' }],
      ],
      /another type or length/,
    ],
    [[['rooms', 'name', { rule: 'hash' }]], /exclusion constraint|another rule/],
    [[['events', 'at', { rule: 'date_shift' }]], /partitioned by the column/],
    [[['events', 'kind', { rule: 'hash' }]], /partitioned by the column/],
    [[['events_1', 'name', { rule: 'hash' }]], /it is a partition/],
    [
      [
        ['rooms', 'room', { rule: 'null' }],
        ['child', 'room', { rule: 'number_noise' }],
      ],
      /another rule already/,
    ],
  ];
  test.each(refused)('%j is refused', async (given, message) => {
    const { problems } = await plan(given);
    expect(problems.map((problem) => problem.message)).toContainEqual(expect.stringMatching(message));
  });

  test('nothing that somebody else wrote is run: what calls it is not tried, and is named', async () => {
    const { planned, problems } = await plan([
      ['traps', 'email', { rule: 'email' }],
      ['traps', 'own', { rule: 'email' }],
      ['traps', 'listed', { rule: 'email' }],
      ['traps', 'pair', { rule: 'fixed', value: '(c,d)' }],
      ['traps', 'plain', { rule: 'fixed', value: 'x' }],
      ['traps', 'xml', { rule: 'hash' }],
    ]);
    expect(problems).toEqual([{ rule: 4, message: 'the constraint traps_plain_check refuses masked values' }]);
    const [warning = ''] = planned.warnings;
    for (const name of [
      'constraint calls',
      'constraint queries',
      'constraint guarded',
      '"traps".listed',
      '"traps".pair',
    ])
      expect(warning).toContain(name);
    expect(warning).not.toContain('sane');
    expect(warning).not.toContain('traps_plain_check');
  });

  test('all problems are told at once, and what fits is planned for all that inherit it', async () => {
    const both = await plan([
      ['nothing', 'id', { rule: 'null' }],
      ['people', 'mood', { rule: 'hash' }],
    ]);
    expect(both.problems.map(({ rule }) => rule)).toEqual([0, 1]);
    const { planned, problems } = await plan([
      ['people', 'id', { rule: 'keep_format' }],
      ['orders', 'person', { rule: 'keep_format' }],
      ['people', 'login', { rule: 'email' }],
      ['people', 'code', { rule: 'keep_format' }],
      ['people', 'tag', { rule: 'hash' }],
      ['people', 'salary', { rule: 'number_noise' }],
      ['people', 'born', { rule: 'date_shift', days: 20 }],
      ['people', 'mood', { rule: 'shuffle' }],
      ['people', 'fields', { rule: 'json', paths: { '$.a': { rule: 'email' } } }],
      ['people', 'tags', { rule: 'keep_format' }],
      ['orders', 'mail', { rule: 'null' }],
      ['events', 'name', { rule: 'hash' }],
      ['rooms', 'room', { rule: 'null' }],
    ]);
    expect(problems).toEqual([]);
    expect(planned.warnings).toEqual([expect.stringMatching(/DEFAULT .*"s"\."people"\.tag/)]);
    // People, orders, events with its partition, rooms with its child.
    expect(Object.keys(planned.masks)).toHaveLength(6);
    const people = Object.values(planned.masks).find((masks) => masks.length > 5) ?? [];
    expect(people.find(({ column }) => column === 'tags')?.facts.element).toMatchObject({
      kind: 'text',
      maxCharacters: 6,
    });
    expect(createTableMasker(['id', 'mood'], people, KEY)?.transform(Buffer.from('12\tgood\n')).toString()).toMatch(
      /^[1-9]\d\tgood\n$/,
    );
  });
});
