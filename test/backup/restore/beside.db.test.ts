import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { checkRestore } from '../../../shared/backup/restore/check-restore.ts';
import { stagingName } from '../../../shared/backup/restore/target-database.ts';
import { newJobId } from '../../../shared/state/ids.ts';
import {
  createScratchDatabase,
  forEachServer,
  type ScratchDatabase,
  targetFor,
  withClient,
} from '../../support/servers.ts';
import { DATABASE_ID, useBackupHarness } from '../support/harness.ts';

const harness = useBackupHarness();

forEachServer((server) => {
  let source: ScratchDatabase;
  let manifest: Manifest;
  const sql = (text: string) =>
    withClient(server, source.name, async (client) => (await client.query(text)).rows as Record<string, unknown>[]);
  const count = async (relation: string) => (await sql(`SELECT count(*)::int AS rows FROM ${relation}`))[0]?.rows;
  const digest = (relation: string, columns: string) =>
    sql(
      `SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) AS digest FROM (SELECT ${columns} FROM ${relation}) AS t`,
    );

  beforeAll(async () => {
    source = await createScratchDatabase(server);
    await sql(`
      CREATE TYPE mood AS ENUM ('good', 'bad');
      CREATE SCHEMA "Own";
      CREATE TABLE customers (id int PRIMARY KEY);
      INSERT INTO customers SELECT generate_series(1, 5000);
      CREATE TABLE "Own"."Order Items" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int NOT NULL REFERENCES customers,
        mood mood DEFAULT 'good', note varchar(80) COLLATE "C" UNIQUE, twice int GENERATED ALWAYS AS (customer * 2) STORED);
      INSERT INTO "Own"."Order Items" (customer, note) SELECT n, CASE WHEN n % 7 > 0 THEN E'tab\\t ä ' || n END FROM generate_series(1, 5000) AS n;
      CREATE TABLE parted (id int, day date) PARTITION BY RANGE (day);
      CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
      CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
      INSERT INTO parted SELECT n, date '2026-01-01' + n % 59 FROM generate_series(1, 500) AS n;
      CREATE VIEW seen AS SELECT 1 AS one`);
    manifest = await harness.backUp(source.target());
  });
  afterAll(async () => {
    await source?.drop();
  });
  beforeEach(async () => {
    await sql('DROP TABLE IF EXISTS "Own"."Order Items_old", parted_old');
  });

  const tables = [
    { schema: 'Own', table: 'Order Items' },
    { schema: 'public', table: 'parted' },
  ];
  const restore = (request: object = {}, options: object = {}) =>
    harness.restore(manifest, server, {
      name: source.name,
      request: { mode: 'beside', selection: { schemas: [], tables }, suffix: '_old', ...request },
      ...options,
    });
  const leftovers = () => sql(`SELECT relname FROM pg_class WHERE relname LIKE '%\\_old'`);
  const staged = (jobId: string) => sql(`SELECT FROM pg_database WHERE datname = '${stagingName(jobId)}'`);

  describe(`tables restored to ${server.label} beside those of a live database`, () => {
    test('are as they were, under other names, and nothing else is touched', async () => {
      const columns = 'id, customer, mood, note, twice';
      const before = await digest('"Own"."Order Items"', columns);
      await sql(`UPDATE "Own"."Order Items" SET note = NULL; DELETE FROM parted WHERE id > 100`);
      const jobId = newJobId();
      const { summary } = await restore({}, { jobId });
      expect(summary.keptDatabase).toBeNull();
      expect(await digest('"Own"."Order Items_old"', columns)).toEqual(before);
      expect([await count('parted_old'), await count('parted')]).toEqual([500, 100]);
      expect(await count('"Own"."Order Items" WHERE note IS NULL')).toBe(5000);
      // Its keys, and no foreign key that would hold rows of others.
      expect(
        await sql(
          `SELECT contype AS type FROM pg_constraint WHERE conrelid = '"Own"."Order Items_old"'::regclass AND contype IN ('p', 'u', 'f') ORDER BY 1`,
        ),
      ).toEqual([{ type: 'p' }, { type: 'u' }]);
      expect(await staged(jobId)).toEqual([]);
    });

    test('come all or none: a name that is taken, a missing schema and a view are refused, and nothing is left', async () => {
      await sql('CREATE TABLE parted_old ()');
      await expect(restore()).rejects.toMatchObject({ code: 'table_exists' });
      const planned = { mode: 'beside', targetDatabase: source.name, missingRoles: 'create', connections: 2 } as const;
      const request = {
        database: DATABASE_ID,
        backupId: manifest.id,
        planned,
        options: { selection: { schemas: [], tables }, suffix: '_old' },
      };
      const signal = new AbortController().signal;
      const found = await checkRestore(request, {
        target: targetFor(server, 'postgres'),
        store: harness.store,
        signal,
      });
      expect(found.problems.map(({ code }) => code)).toEqual(['table_exists']);
      await sql('DROP TABLE parted_old; ALTER SCHEMA "Own" RENAME TO other');
      await expect(restore()).rejects.toMatchObject({ code: 'schema_missing' });
      await sql('ALTER SCHEMA other RENAME TO "Own"; ALTER TYPE mood RENAME TO temper');
      await expect(restore()).rejects.toMatchObject({ code: 'tables_refused' });
      await sql('ALTER TYPE temper RENAME TO mood');
      const view = { selection: { schemas: [], tables: [...tables, { schema: 'public', table: 'seen' }] } };
      await expect(restore(view)).rejects.toMatchObject({ code: 'no_table' });
      await expect(restore({}, { name: 'no_such_database' })).rejects.toMatchObject({ code: 'target_missing' });
      expect(await leftovers()).toEqual([]);
    });

    test('an attempt after one that had put them there already puts them there no second time', async () => {
      const jobId = newJobId();
      await restore({}, { jobId });
      await restore({}, { jobId });
      expect(await count('parted_old')).toBe(500);
      await expect(restore()).rejects.toMatchObject({ code: 'restore_refused' });
    });
  });
});
