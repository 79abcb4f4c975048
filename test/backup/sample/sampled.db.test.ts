import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { createStateTable } from '../../state/support.ts';
import { createEverything } from '../../support/everything/create-everything.ts';
import { createNorthwind, northwindIsPresent } from '../../support/northwind.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../../support/servers.ts';
import { backUpDistributed } from '../support/distributed.ts';
import { useBackupHarness } from '../support/harness.ts';
import { rowsOf as ask, northwindRules } from '../support/masking-rules.ts';
import { createSql, randomTables } from './random-schema.ts';

const harness = useBackupHarness();

const sampled = (percent: number, tables: string[]) => ({ request: { sample: { percent, tables } } });

const CONSTRAINTS = `
SELECT n.nspname, k.conrelid::regclass::text AS relation, k.conname, pg_get_constraintdef(k.oid), k.convalidated
  FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
 WHERE n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema' AND k.contype IN ('p', 'u', 'f', 'c', 'x')
   AND k.conparentid = 0
 ORDER BY 1, 2, 3`;

const rowsOf = ({ tables }: Manifest): Record<string, number> =>
  Object.fromEntries(tables.map(({ schema, name, rows }) => [`${schema}.${name}`, rows]));

describe.runIf(northwindIsPresent)('a part of the customers of Northwind', () => {
  let source: ScratchDatabase;
  let manifest: Manifest;
  const sample = sampled(30, ['public.customers', 'public.employees']);
  beforeAll(async () => {
    source = await createNorthwind(anyServer());
    manifest = await harness.backUp(source.target(), sample);
  });
  afterAll(() => source?.drop());

  test('is restored with all constraints, each table as large as its manifest says', async () => {
    const restored = await harness.restore(manifest, anyServer());
    expect(await ask(restored, CONSTRAINTS)).toEqual(await ask(source, CONSTRAINTS));
    const rows = rowsOf(manifest);
    const counted = await ask<{ table: string; rows: number }>(
      restored,
      `SELECT 'public.' || c.relname AS table, (xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ' || c.oid::regclass, false, true, '')))[1]::text::int AS rows
         FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace`,
    );
    expect(Object.fromEntries(counted.map(({ table, rows: count }) => [table, count]))).toEqual(rows);
    expect(rows['public.customers']).toBeGreaterThan(10);
    expect(rows['public.customers']).toBeLessThan(60);
    expect(rows['public.orders']).toBeLessThan(600);
    // What refers to no sampled table is whole.
    expect([rows['public.products'], rows['public.territories']]).toEqual([77, 53]);
    await restored.drop();
  });

  test('is told by the manifest, with a warning where two percentages meet', () => {
    const orders = { schema: 'public', table: 'orders', chosen: false, rows: rowsOf(manifest)['public.orders'] };
    expect(manifest.sample).toMatchObject({ percent: 30, tables: sample.request.sample.tables });
    expect(manifest.sample?.reduced).toContainEqual(expect.objectContaining(orders));
    expect(manifest.sample?.reduced.filter(({ chosen }) => chosen).map(({ table }) => table)).toEqual([
      'customers',
      'employees',
    ]);
    expect(manifest.warnings).toContainEqual(expect.stringContaining('"public"."orders" (about 9 %)'));
  });

  test('is masked as well, keys and all, while it is backed up or while it is restored', async () => {
    const masked = await harness.backUp(source.target(), { request: { ...sample.request, masking: northwindRules } });
    expect(rowsOf(masked)).toEqual(rowsOf(manifest));
    const restored = await harness.restore(masked, anyServer());
    const loaded = await harness.restore(manifest, anyServer(), { request: { masking: northwindRules } });
    expect(await ask(restored, CONSTRAINTS)).toEqual(await ask(source, CONSTRAINTS));
    const people = 'SELECT customer_id, contact_name FROM customers ORDER BY 1';
    const [before, after] = [await ask(source, people), await ask(restored, people)];
    expect(await ask(loaded, people)).toEqual(after);
    const names = new Set(before.map((one) => JSON.stringify(one)));
    expect(after.filter((one) => names.has(JSON.stringify(one)))).toEqual([]);
    await Promise.all([restored.drop(), loaded.drop()]);
  });

  test('is the same rows again, by many invocations and of rows alone', async () => {
    const { table } = await createStateTable(harness.services);
    const { outcome } = await backUpDistributed(harness, table, source.target(), { invocationMs: 60_000, ...sample });
    if (outcome.status === 'failed') throw new Error(outcome.error.message);
    const digest = ({ tables }: Manifest) => tables.map(({ name, rows, bytes }) => [name, rows, bytes]);
    expect(digest(outcome.result)).toEqual(digest(manifest));
    expect(outcome.result.sample).toEqual(manifest.sample);
    const rows = await harness.backUp(source.target(), { request: { ...sample.request, backupType: 'data' } });
    expect(digest(rows)).toEqual(digest(manifest));
  });
});

test('one of everything is restored with all constraints; foreign keys over periods refuse a sample', async () => {
  const source = await createEverything(anyServer());
  // PostgreSQL has them from 18 on.
  if (source.server.version >= 18) {
    await expect(harness.backUp(source.target(), sampled(50, ['keys.*']))).rejects.toMatchObject({
      code: 'sample_refused',
      message: expect.stringMatching(/from "keys"\."stays" to "keys"\."periods" is one of periods/),
    });
  }
  const manifest = await harness.backUp(
    source.target(),
    sampled(40, ['keys.customers', 'keys.parts', 'structures', 'values']),
  );
  expect(manifest.warnings).toContainEqual(expect.stringMatching(/^Large objects are all kept/));
  const restored = await harness.restore(manifest, anyServer());
  expect(await ask(restored, CONSTRAINTS)).toEqual(await ask(source, CONSTRAINTS));
  await restored.drop();
  await source.drop();
});

test('schemas with foreign keys of every form are restored with each of them whole', async () => {
  const source = await createScratchDatabase(anyServer());
  const schemas = fc.sample(randomTables, { numRuns: 20, seed: 20_26 });
  for (const [index, tables] of schemas.entries()) await ask(source, createSql(`random_${index}`, tables));
  const manifest = await harness.backUp(source.target(), sampled(40, ['random_*.t0', 'random_*.t2']));
  const restored = await harness.restore(manifest, anyServer());
  expect(await ask(restored, CONSTRAINTS)).toEqual(await ask(source, CONSTRAINTS));
  const [before] = await ask<{ count: number }>(source, 'SELECT count(*)::int FROM random_0.t0');
  expect(manifest.totals.rows).toBeGreaterThan(before?.count ?? 0);
  await restored.drop();
  await source.drop();
});

const oddKeys = `
CREATE TABLE shops (id int PRIMARY KEY, name varchar(20) UNIQUE);
INSERT INTO shops SELECT n, 'shop ' || n FROM generate_series(1, 200) AS n;
-- Keys that do not hold for every row are left alone.
CREATE TABLE loose (shop int);
INSERT INTO loose SELECT n FROM generate_series(1, 500) AS n;
ALTER TABLE loose ADD FOREIGN KEY (shop) REFERENCES shops NOT VALID;
-- Other types, and a collation of its own.
CREATE TABLE typed (shop bigint NOT NULL REFERENCES shops, named text COLLATE "C" REFERENCES shops (name));
INSERT INTO typed SELECT n, CASE n % 3 WHEN 0 THEN 'shop ' || 201 - n END FROM generate_series(1, 200) AS n;
-- A key of one partition, and one to a partition.
CREATE TABLE days (shop int, day int, PRIMARY KEY (shop, day)) PARTITION BY RANGE (day);
CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM (0) TO (100);
CREATE TABLE days_2 (day int, shop int NOT NULL);
ALTER TABLE days_2 ALTER day SET NOT NULL, ADD PRIMARY KEY (shop, day);
ALTER TABLE days ATTACH PARTITION days_2 FOR VALUES FROM (100) TO (300);
INSERT INTO days SELECT n, n FROM generate_series(1, 200) AS n;
ALTER TABLE days_2 ADD FOREIGN KEY (shop) REFERENCES shops;
CREATE TABLE notes (shop int, day int, FOREIGN KEY (shop, day) REFERENCES days_2 (shop, day));
INSERT INTO notes SELECT n, n FROM generate_series(100, 200) AS n;
CREATE TABLE on_days (shop int, day int, FOREIGN KEY (shop, day) REFERENCES days);
INSERT INTO on_days SELECT n, n FROM generate_series(1, 200) AS n;
-- Without a primary key: equal rows stay together.
CREATE TABLE keyless (v text, w int);
INSERT INTO keyless SELECT CASE n % 4 WHEN 0 THEN NULL ELSE 'v' || n / 4 END, n / 8 FROM generate_series(1, 2000) AS n;
-- Partitions that are chosen alone.
CREATE TABLE halves (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE halves_1 PARTITION OF halves FOR VALUES FROM (0) TO (100);
CREATE TABLE halves_2 PARTITION OF halves FOR VALUES FROM (100) TO (200);
INSERT INTO halves SELECT generate_series(0, 199);
CREATE TABLE of_halves (id int REFERENCES halves);
INSERT INTO of_halves SELECT generate_series(0, 199);
-- A tree: who is above a kept row is kept.
CREATE TABLE people (id int PRIMARY KEY, above int REFERENCES people);
INSERT INTO people SELECT n, nullif(n / 3, 0) FROM generate_series(1, 900) AS n`;

test('what is odd about keys, types and partitions is minded', async () => {
  const source = await createScratchDatabase(anyServer());
  await ask(source, oddKeys);
  const tables = ['public.shops', 'public.keyless', 'public.halves_2', 'public.people'];
  const manifest = await harness.backUp(source.target(), sampled(10, tables));
  const rows = rowsOf(manifest);
  expect([rows['public.loose'], rows['public.days_1'], rows['public.halves_1']]).toEqual([500, 99, 100]);
  for (const [name, most] of Object.entries({
    shops: 45,
    typed: 45,
    days_2: 25,
    notes: 25,
    halves_2: 25,
    keyless: 500,
    people: 400,
  })) {
    expect(rows[`public.${name}`], name).toBeGreaterThan(0);
    expect(rows[`public.${name}`], name).toBeLessThan(most);
  }
  const restored = await harness.restore(manifest, anyServer());
  expect(await ask(restored, CONSTRAINTS)).toEqual(await ask(source, CONSTRAINTS));
  const [kept] = await ask<object>(
    restored,
    `SELECT (SELECT count(*) FROM days)::int - (SELECT count(*) FROM on_days)::int AS days,
            (SELECT count(*) FROM halves)::int - (SELECT count(*) FROM of_halves)::int AS halves,
            (SELECT count(*) FROM days_2)::int - (SELECT count(*) FROM notes)::int AS notes`,
  );
  expect(kept).toEqual({ days: 0, halves: 0, notes: 0 });
  await restored.drop();
  await expect(harness.backUp(source.target(), sampled(10, ['public.shop?', 'public.nothing']))).rejects.toMatchObject({
    code: 'nothing_matched',
    message: 'sample: no table of the backup matches public.nothing',
  });
  await source.drop();
});
