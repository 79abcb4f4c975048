import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupLocation } from '../../shared/backup/location.ts';
import type { Manifest } from '../../shared/backup/manifest.ts';
import { readWhole } from '../../shared/backup/objects/object-store.ts';
import type { MaskingRules } from '../../shared/masking/plan/plan-masking.ts';
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../shared/postgres/identifiers.ts';
import { createStateTable } from '../state/support.ts';
import { createEverything } from '../support/everything/create-everything.ts';
import { createNorthwind, northwindIsPresent } from '../support/northwind.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { backUpDistributed } from './support/distributed.ts';
import { DATABASE_ID, useBackupHarness } from './support/harness.ts';
import { CONSTRAINTS, everythingRules, northwindRules, rowsOf, rulesOf } from './support/masking-rules.ts';

const harness = useBackupHarness();

/** What is no one's data, and may be the same digits by chance: Northwind's keys are numbers of five. */
const BY_CHANCE = /"(?:oid|class_id|lsn|transactions|stored_bytes|sha256)": ?(?:"[^"]*"|\d+)/g;

/** Everything that is stored of a backup, decrypted and decompressed. */
async function plainBytes(manifest: Manifest): Promise<Buffer> {
  const location = backupLocation(DATABASE_ID, manifest.id);
  const { signal } = new AbortController();
  const parts = [];
  for (const key of await harness.keys(manifest)) {
    const path = key.slice(location.prefix.length);
    const compressed = path !== 'manifest.json.enc';
    const bytes = await readWhole(harness.store, location, path, { compressed, signal });
    parts.push(path.includes('.json.') ? Buffer.from(bytes.toString().replace(BY_CHANCE, '')) : bytes);
  }
  return Buffer.concat(parts);
}

/** The odd values of every type stand in many tables that are not masked: of those, the ones that this test adds are looked for. */
const SOUGHT = `(nsp <> 'values' OR value ~ 'Personal|506572736f6e616c|^a11ce')`;
const personalValues = `
INSERT INTO "values".text (v) SELECT E'Personal\t"value"\\ of\n' || md5(n::text) FROM generate_series(1, 40) AS n;
INSERT INTO "values".bytea (v) SELECT convert_to('Personal ' || md5(n::text), 'UTF8') FROM generate_series(1, 40) AS n;
INSERT INTO "values".uuid (v) SELECT ('a11ce' || substr(md5(n::text), 6))::uuid FROM generate_series(1, 40) AS n;`;

/** A few digits are found by chance in other numbers: in those of orders, and in masked telephone numbers. */
const FEW_DIGITS = /^\d{1,7}$/;

/** Original values of masked columns, of at least five characters, that are found in what is stored. */
async function leaks(source: ScratchDatabase, rules: MaskingRules, stored: Buffer): Promise<string[]> {
  const found: string[] = [];
  let looked = 0;
  for (const { schema, table, column, mask } of rules.rules) {
    // A shuffle gives the very same values to other rows.
    if (mask.rule === 'shuffle') continue;
    const name = quoteIdentifier(column);
    const values = await rowsOf<{ value: string }>(
      source,
      `SELECT value FROM (SELECT DISTINCT ${name}::text AS value, ${quoteLiteral(schema)} AS nsp FROM ${quoteQualified(schema, table)}) AS v
        WHERE length(value) >= 5 AND ${SOUGHT}`,
    );
    for (const { value } of values) {
      if (FEW_DIGITS.test(value)) continue;
      looked += 1;
      // As it is, and as COPY would write it.
      const forms = [value, value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t')];
      if (forms.some((form) => stored.includes(form))) found.push(`${table}.${column}: ${value}`);
    }
  }
  expect(looked).toBeGreaterThan(50);
  return found;
}

describe.runIf(northwindIsPresent)('Northwind, masked', () => {
  let source: ScratchDatabase;
  let manifest: Manifest;
  beforeAll(async () => {
    source = await createNorthwind(anyServer());
    manifest = await harness.backUp(source.target(), { request: { masking: northwindRules } });
  });
  afterAll(() => source?.drop());

  test('holds no original value of a masked column', async () => {
    expect(await leaks(source, northwindRules, await plainBytes(manifest))).toEqual([]);
    expect(manifest.masking).toMatchObject({ version: 3 });
    expect(manifest.masking?.columns).toHaveLength(northwindRules.rules.length);
    expect(manifest.masking?.columns).toContainEqual({
      schema: 'public',
      table: 'orders',
      column: 'customer_id',
      rule: 'keep_format',
    });
  });

  test('is restored with all constraints, and what was joined still is', async () => {
    const restored = await harness.restore(manifest, anyServer());
    expect(await rowsOf(restored, CONSTRAINTS)).toEqual(await rowsOf(source, CONSTRAINTS));
    const joined =
      'SELECT count(*), count(DISTINCT customer_id) FROM employee_territories JOIN territories USING (territory_id), orders JOIN customers USING (customer_id)';
    expect(await rowsOf(restored, joined)).toEqual(await rowsOf(source, joined));
    const untouched = 'SELECT order_date, ship_city FROM orders ORDER BY 1, 2';
    expect(await rowsOf(restored, untouched)).toEqual(await rowsOf(source, untouched));
    const freight = 'SELECT freight FROM orders ORDER BY 1';
    expect(await rowsOf(restored, freight)).toEqual(await rowsOf(source, freight));

    // As is what is masked only when it is restored.
    const plain = await harness.backUp(source.target());
    const later = await harness.restore(plain, anyServer(), { request: { masking: northwindRules } });
    expect(await rowsOf(later, CONSTRAINTS)).toEqual(await rowsOf(source, CONSTRAINTS));
    for (const table of ['customers', 'employees', 'suppliers', 'shippers', 'employee_territories']) {
      const rows = `SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM ${table} t`;
      expect(await rowsOf(later, rows), table).toEqual(await rowsOf(restored, rows));
    }
    for (const database of [restored, later]) await database.drop();
  });

  test('is the same by many invocations', async () => {
    const { table } = await createStateTable(harness.services);
    const { outcome } = await backUpDistributed(harness, table, source.target(), {
      invocationMs: 60_000,
      request: { masking: northwindRules },
    });
    if (outcome.status === 'failed') throw new Error(outcome.error.message);
    expect(outcome.result.masking).toEqual(manifest.masking);
    expect(outcome.result.totals.bytes).toBe(manifest.totals.bytes);
    expect(await leaks(source, northwindRules, await plainBytes(outcome.result))).toEqual([]);
  });
});

test('one of everything, masked, holds no original value, and is restored with all constraints', async () => {
  const source = await createEverything(anyServer());
  await rowsOf(source, personalValues);
  const manifest = await harness.backUp(source.target(), { request: { masking: everythingRules } });
  expect(await leaks(source, everythingRules, await plainBytes(manifest))).toEqual([]);
  expect(manifest.warnings).toContainEqual(expect.stringMatching(/^Large objects are left out: nobody can say/));
  expect(manifest.large_objects).toEqual({ objects: [], chunks: [] });
  const restored = await harness.restore(manifest, anyServer());
  expect(await rowsOf(restored, CONSTRAINTS)).toEqual(await rowsOf(source, CONSTRAINTS));
  await restored.drop();
  await source.drop();
});

test('statistics, materialized views, sequences and generated columns tell nothing; rules that do not fit stop it', async () => {
  const source = await createScratchDatabase(anyServer());
  await rowsOf(
    source,
    `CREATE TABLE people (id serial PRIMARY KEY, name text, loud text GENERATED ALWAYS AS (upper(name)) STORED);
     INSERT INTO people (name) SELECT 'Secret Person ' || n % 3 FROM generate_series(1, 1000) AS n;
     CREATE STATISTICS s (mcv) ON name, loud FROM people;
     CREATE MATERIALIZED VIEW names AS SELECT DISTINCT name FROM people;
     CREATE INDEX ON people (lower(name));
     ANALYZE`,
  );
  const rules = rulesOf({ 'public.people': { name: { rule: 'hash' } } });
  const manifest = await harness.backUp(source.target(), { request: { masking: rules } });
  const stored = (await plainBytes(manifest)).toString().toLowerCase();
  expect(stored).not.toContain('secret person');
  const restored = await harness.restore(manifest, anyServer());
  const statistics = "SELECT string_agg(s::text, '') AS text FROM pg_stats s WHERE tablename = 'people'";
  const text = JSON.stringify([
    await rowsOf(restored, 'SELECT * FROM names'),
    await rowsOf(restored, 'SELECT * FROM people'),
    await rowsOf(restored, statistics),
  ]);
  expect(text.toLowerCase()).not.toContain('secret person');
  expect(await rowsOf(restored, 'SELECT last_value::int FROM people_id_seq')).toEqual([{ last_value: 1000 }]);
  await restored.drop();
  const wrong = rulesOf({ 'public.people': { id: { rule: 'null' }, gone: { rule: 'hash' } } });
  await expect(harness.backUp(source.target(), { request: { masking: wrong } })).rejects.toMatchObject({
    code: 'masking_refused',
    message: expect.stringMatching(/"public"\."people"\.id: .*NOT NULL.*\.gone: the table has no column gone/),
  });
  expect(await harness.unfinishedUploads()).toEqual([]);
  await source.drop();
});

test('where the target is trusted less, what seems to be personal and is not masked stands against a restore', async () => {
  const source = await createScratchDatabase(anyServer());
  await rowsOf(
    source,
    `CREATE TABLE people (id int, email text, phone_calls int, last_name varchar(9), note text);
     INSERT INTO people VALUES (1, 'a@b.example', 3, 'Somebody');
     CREATE TABLE empty (email text)`,
  );
  const plain = await harness.backUp(source.target());
  const refuse = { request: { refuseUnmasked: true } };
  await expect(harness.restore(plain, anyServer(), refuse)).rejects.toMatchObject({
    message: expect.stringMatching(/"public"\."people"\.email \(email\), "public"\."people"\.last_name \(name\)/),
  });
  const intoTables = { name: source.name, request: { ...refuse.request, mode: 'data' as const } };
  await expect(harness.restore(plain, anyServer(), intoTables)).rejects.toMatchObject({
    message: expect.stringContaining('seem to hold personal data'),
  });
  const masking = rulesOf({ 'public.people': { email: { rule: 'email' }, last_name: { rule: 'null' } } });
  const masked = await harness.backUp(source.target(), { request: { masking } });
  await (await harness.restore(masked, anyServer(), refuse)).drop();
  await source.drop();
});
