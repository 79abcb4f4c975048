import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkRestore } from '../../shared/backup/restore/check-restore.ts';
import { UnfinishedRestore } from '../../shared/backup/restore/failure.ts';
import { RECORD_SCHEMA } from '../../shared/backup/restore/restore-record.ts';
import { stagingName } from '../../shared/backup/restore/target-database.ts';
import type { MaskingRules } from '../../shared/masking/plan/plan-masking.ts';
import { newJobId } from '../../shared/state/ids.ts';
import { databaseDifferences } from '../support/compare/compare.ts';
import { createEverything } from '../support/everything/create-everything.ts';
import {
  anyServer,
  createScratchDatabase,
  dropDatabase,
  type ScratchDatabase,
  targetFor,
  withClient,
} from '../support/servers.ts';
import { DATABASE_ID, useBackupHarness } from './support/harness.ts';
import { everythingRules, rowsOf, rulesOf } from './support/masking-rules.ts';
import { watchedStore } from './support/watched-store.ts';

const harness = useBackupHarness();

const setUp = `
CREATE DOMAIN mails AS varchar(40)[];
CREATE TABLE people (id int PRIMARY KEY, email varchar(60) UNIQUE, name text, mails mails, contact jsonb, CONSTRAINT polite CHECK (name <> ''));
CREATE TABLE orders (id int PRIMARY KEY, email varchar(60) REFERENCES people (email), note text);
CREATE TABLE events (at date, email text) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE parent (email text);
CREATE TABLE child (more text) INHERITS (parent);
INSERT INTO people
SELECT n, 'person' || n || '@mail.example', 'Somebody ' || n, format('[0:1]={person%s@mail.example,NULL}', n)::mails,
       jsonb_build_object('all', jsonb_build_array(jsonb_build_object('mail', 'person' || n || '@mail.example')), 'n', n)
  FROM generate_series(1, 4000) AS n;
INSERT INTO orders SELECT n, 'person' || n || '@mail.example', repeat(md5(n::text), 20) FROM generate_series(1, 4000) AS n;
INSERT INTO events SELECT '2020-02-02', email FROM people LIMIT 50;
INSERT INTO child SELECT email, 'more' FROM people LIMIT 50;
CREATE MATERIALIZED VIEW names AS SELECT DISTINCT left(name, 8) AS start, email FROM people;
SELECT lo_from_bytea(0, 'person1@mail.example')`;

const email = { rule: 'email' };
const rules = rulesOf({
  'public.people': {
    email,
    name: { rule: 'hash' },
    mails: { rule: 'email' },
    contact: { rule: 'json', paths: { '$.all.*.mail': email } },
  },
  'public.orders': { email },
  'public.events': { email },
  'public.parent': { email },
});

let source: ScratchDatabase;
let plain: Awaited<ReturnType<typeof harness.backUp>>;
beforeAll(async () => {
  source = await createScratchDatabase(anyServer());
  await rowsOf(source, setUp);
  plain = await harness.backUp(source.target());
});
afterAll(() => source?.drop());

const restore = (masking: MaskingRules, more: object = {}, options: object = {}) =>
  harness.restore(plain, anyServer(), { request: { masking, ...more }, ...options });

const relations = ['people', 'orders', 'events', 'child', 'names'];
/** Rows as a digest, and how many of them hold an original. */
const contentOf = (database: ScratchDatabase) =>
  rowsOf<{ name: string; rows: number; leaks: number }>(
    database,
    `${relations
      .map(
        (name) =>
          `SELECT '${name}' AS name, count(*)::int AS rows, md5(string_agg(r::text, ' ' ORDER BY r::text)) AS digest,
                  count(*) FILTER (WHERE r::text ~ 'person[0-9]+@mail|Somebody')::int AS leaks FROM ${name} r`,
      )
      .join(' UNION ALL ')}
     UNION ALL SELECT 'objects', count(*)::int, '', 0 FROM pg_largeobject_metadata`,
  );

test('one of everything, masked while it is restored, is what a masked backup of it is restored to', async () => {
  const everything = await createEverything(anyServer());
  const masked = await harness.backUp(everything.target(), { request: { masking: everythingRules } });
  const unmasked = await harness.backUp(everything.target());
  const expected = await harness.restore(masked, anyServer());
  const found = await harness.restore(unmasked, anyServer(), { request: { masking: everythingRules } });
  expect(await databaseDifferences(expected, found)).toEqual([]);
  expect(found.summary.warnings).toContainEqual(expect.stringMatching(/^Large objects are left out: nobody can say/));
  expect(found.summary.warnings).toContainEqual(
    expect.stringMatching(/^Rows are masked by version 3 of the rules: \d+ columns/),
  );
  for (const database of [expected, found, everything]) await database.drop();
});

test('rows are masked as they come into a new database, chosen tables alone, and tables that are there', async () => {
  const whole = await restore(rules);
  const content = await contentOf(whole);
  expect(content.map(({ name, rows, leaks }) => [name, rows, leaks])).toEqual([
    ['people', 4000, 0],
    ['orders', 4000, 0],
    ['events', 50, 0],
    ['child', 50, 0],
    ['names', 4000, 0],
    ['objects', 0, 0],
  ]);
  const joined = 'SELECT count(*)::int FROM orders JOIN people USING (email) WHERE people.id = orders.id';
  expect(await rowsOf(whole, joined)).toEqual([{ count: 4000 }]);
  const within = `SELECT count(*)::int FROM people WHERE mails[0] = email AND array_dims(mails) = '[0:1]' AND mails[1] IS NULL
                     AND contact #>> '{all,0,mail}' = email AND contact ->> 'n' = id::text`;
  expect(await rowsOf(whole, within)).toEqual([{ count: 4000 }]);
  const left = "SELECT md5(string_agg(note, '' ORDER BY id)) FROM orders";
  expect(await rowsOf(whole, left)).toEqual(await rowsOf(source, left));

  // Of the rules, only those of what is chosen are asked for.
  const selection = { schemas: [], tables: [{ schema: 'public', table: 'events' }] };
  const chosen = await restore(rules, { selection });
  const events = 'SELECT email FROM events ORDER BY 1';
  expect(await rowsOf(chosen, events)).toEqual(await rowsOf(whole, events));

  const part = await restore(rules, { selection: { schemas: [], tables: [{ schema: 'public', table: 'events_1' }] } });
  expect(await rowsOf(part, 'SELECT email FROM events_1 ORDER BY 1')).toEqual(await rowsOf(whole, events));

  const people = { schemas: [], tables: [{ schema: 'public', table: 'people' }] };
  await restore(rules, { mode: 'beside', selection: people }, { name: whole.name });
  const same = 'SELECT count(*)::int FROM people JOIN people_restored p USING (id, email, name, mails, contact)';
  expect(await rowsOf(whole, same)).toEqual([{ count: 4000 }]);

  await rowsOf(whole, 'TRUNCATE people, orders, events, parent, child');
  await rowsOf(whole, 'REFRESH MATERIALIZED VIEW names WITH NO DATA');
  const filled = await restore(rules, { mode: 'data' }, { name: whole.name });
  expect(await contentOf(filled)).toEqual(content);

  // Without its inheritance, no rule would be the child's.
  await rowsOf(whole, 'TRUNCATE people, orders, events, parent, child; ALTER TABLE events DETACH PARTITION events_1');
  await expect(restore(rules, { mode: 'data' }, { name: whole.name })).rejects.toMatchObject({
    code: 'masking_refused',
    message: expect.stringContaining('no rule applies here to public.events_1.email'),
  });
  for (const database of [chosen, part, whole]) await database.drop();
});

test('rules that do not fit the backup refuse it before a row is loaded, and leave nothing behind', async () => {
  const refusals: [Parameters<typeof rulesOf>[0], RegExp][] = [
    [{ 'public.people': { email } }, /orders_email_fkey joins it with "public"."orders".email, which needs the same/],
    [{ 'public.people': { id: { rule: 'number_noise' } } }, /part of the key people_pkey/],
    [{ 'public.people': { name: { rule: 'fixed', value: '' } } }, /the constraint polite refuses masked values/],
    [{ 'public.orders': { gone: { rule: 'null' } } }, /has no column gone/],
    [{ 'public.clients': { email } }, /it holds no table "public"."clients"/],
    [{ 'public.orders': { note: { rule: 'date_shift' } } }, /serves date/],
  ];
  const loading: string[] = [];
  const left = "SELECT datname FROM pg_database WHERE datname LIKE 'dbms\\_restoring\\_%' ORDER BY 1";
  const before = await rowsOf(source, left);
  for (const [tables, message] of refusals) {
    const report = async ({ phase }: { phase: string }) => void loading.push(phase);
    const refused = restore(rulesOf(tables), {}, { report });
    await expect(refused).rejects.toMatchObject({ code: 'masking_refused', message: expect.stringMatching(message) });
  }
  expect(loading).not.toContain('data');
  expect(await rowsOf(source, left)).toEqual(before);

  const masked = await harness.backUp(source.target(), { request: { masking: rules } });
  const twice = harness.restore(masked, anyServer(), { request: { masking: rules } });
  await expect(twice).rejects.toMatchObject({ code: 'masked_already' });
  const found = await checkRestore(
    {
      database: DATABASE_ID,
      backupId: plain.id,
      options: {},
      planned: { mode: 'new', targetDatabase: 'never_made', missingRoles: 'create', connections: 1 },
    },
    {
      target: targetFor(anyServer(), 'postgres'),
      store: harness.store,
      signal: new AbortController().signal,
      loadMasking: async () => rulesOf({ 'public.clients': { email } }),
    },
  );
  expect(found.problems).toMatchObject([{ code: 'masking_refused' }]);
});

test('where the target is trusted less, values speak as well as names, and what is masked on the way does not', async () => {
  await rowsOf(
    source,
    `CREATE TABLE things (id int, ref text, data json, list text[], state text, stamp timestamptz, card bigint);
     INSERT INTO things
     SELECT n, CASE WHEN n % 3 = 0 THEN 'w' || n || '@mail.example' ELSE 'person ' || n END, format('{"to": {"x y": ["w%s@mail.example"]}, "k": %s}', n, n)::json,
            ARRAY['+43 1 58801 ' || n + 1000], 'open', now(), n
       FROM generate_series(1, 500) AS n;
     -- Several objects, of which the last one alone tells.
     CREATE TABLE late (filler text, ref text);
     INSERT INTO late SELECT repeat(md5(n::text), 30), CASE WHEN n > 2200 THEN 'w' || n || '@mail.example' ELSE 'none' END
       FROM generate_series(1, 3300) AS n`,
  );
  const trusted = await harness.backUp(source.target());
  const chosen = (table: string) => ({ schemas: [], tables: [{ schema: 'public', table }] });
  const selection = chosen('things');
  const refuse = (request: object) =>
    harness.restore(trusted, anyServer(), { request: { selection, refuseUnmasked: true, ...request } });
  const named = '"public"."things".';
  const message = `not masked: ${named}ref (email), ${named}data at $.to."x y".* (email), ${named}list (phone)`;
  const refused = { code: 'unmasked_personal_data', message: expect.stringMatching(/\(phone\)$/) };
  await expect(refuse({})).rejects.toMatchObject({ ...refused, message: expect.stringContaining(message) });
  expect(trusted.tables.find(({ name }) => name === 'late')?.chunks.length).toBeGreaterThan(2);
  await expect(refuse({ selection: chosen('late') })).rejects.toMatchObject({
    message: expect.stringMatching(/not masked: "public"\."late"\.ref \(email\)$/),
  });
  const ruled = { ref: { rule: 'hash' }, data: { rule: 'null' }, list: { rule: 'phone' } };
  const { ref, ...others } = ruled;
  await expect(refuse({ masking: rulesOf({ 'public.things': others }) })).rejects.toMatchObject({
    message: expect.stringMatching(/not masked: "public"\."things"\.ref \(email\)$/),
  });
  const masked = await refuse({ masking: rulesOf({ 'public.things': ruled }) });
  expect(await rowsOf(masked, "SELECT count(*)::int FROM things t WHERE t::text LIKE '%@mail%'")).toEqual([
    { count: 0 },
  ]);
  await (await harness.restore(trusted, anyServer(), { request: { selection } })).drop();
  await masked.drop();
  await rowsOf(source, 'DROP TABLE things, late');
});

test('a restore that is resumed goes on with the same values, and not with other rules', async () => {
  const [whole, jobId] = [await restore(rules), newJobId()];
  const staging = stagingName(jobId);
  const stop = new AbortController();
  const loaded = `SELECT item FROM ${RECORD_SCHEMA}.done WHERE item LIKE 'chunk %'`;
  const items = () =>
    withClient(anyServer(), staging, async (client) => (await client.query(loaded)).rows).catch(() => []);
  const all = plain.tables.flatMap(({ chunks }) => chunks).length;
  const watched = watchedStore(harness.store, async () => {
    if (watched.chunks().length < all - 1) return;
    await expect.poll(items, { timeout: 120_000 }).not.toEqual([]);
    stop.abort(new DOMException('The time is over', 'TimeoutError'));
  });
  const interrupted = { jobId, store: watched.store, signal: stop.signal };
  const first = restore(rules, { resumable: true, connections: 1 }, interrupted).catch((error: unknown) => error);
  expect(await first).toBeInstanceOf(UnfinishedRestore);
  expect((await items()).length).toBeGreaterThan(0);
  expect((await items()).length).toBeLessThan(all);

  const other = { ...rules, version: 4 };
  const changed = await restore(
    other,
    { resumable: true },
    { jobId: newJobId(), request: { masking: other, resumes: jobId } },
  ).catch((error: unknown) => error);
  expect(changed).toMatchObject({ code: 'masking_changed', message: expect.stringContaining('masked by version 3') });
  // What it had done is gone, as nothing can go on with it.
  expect(await items()).toEqual([]);

  const again = restore(rules, { resumable: true, connections: 1 }, { jobId, signal: AbortSignal.timeout(200_000) });
  expect(await contentOf(await again)).toEqual(await contentOf(whole));
  await dropDatabase(anyServer(), (await again).name);
  await whole.drop();
});
