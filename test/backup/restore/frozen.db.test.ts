import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase, withClient } from '../../support/servers.ts';
import { type RestoreOptions, useBackupHarness } from '../support/harness.ts';

const harness = useBackupHarness();

forEachServer((server) => {
  let source: ScratchDatabase;
  let manifest: Manifest;

  beforeAll(async () => {
    source = await createScratchDatabase(server);
    const rows = (count: number) =>
      `SELECT n AS id, repeat('row ', 10) || n AS text FROM generate_series(1, ${count}) AS n`;
    await withClient(server, source.name, async (client) => {
      await client.query(`CREATE TABLE large AS ${rows(60_000)}`);
      await client.query(`CREATE TABLE larger AS ${rows(70_000)}`);
      await client.query(`CREATE TABLE small AS ${rows(10)}`);
    });
    manifest = await harness.backUp(source.target());
  });
  afterAll(async () => {
    await source?.drop();
  });

  // From PostgreSQL 16 on a table is extended by more pages than its rows take in the end: not every page is visible to all.
  async function tablesOf(options: RestoreOptions) {
    const restored = await harness.restore(manifest, server, options);
    return withClient(server, restored.name, async (client) => {
      const { rows } = await client.query<{ relname: string; known: boolean; frozen: boolean }>(
        `SELECT relname, reltuples > 0 AS known, relpages > 0 AND relallvisible >= 0.8 * relpages AS frozen
           FROM pg_class WHERE relname IN ('large', 'larger', 'small') ORDER BY relname`,
      );
      return rows.map(({ relname, known, frozen }) => [relname, known, frozen]);
    });
  }

  describe(`rows restored to ${server.label}`, () => {
    test('are frozen, so that no VACUUM must read them, where one session loads a whole table', async () => {
      expect(manifest.tables.map(({ name, chunks }) => [name, chunks.length > 1]).sort()).toEqual([
        ['large', true],
        ['larger', true],
        ['small', false],
      ]);
      // Until 13 the server writes rows as frozen, and leaves it to the first VACUUM to note that their pages are.
      const noted = server.version >= 14;
      expect(await tablesOf({})).toEqual([
        ['large', true, noted],
        ['larger', true, noted],
        ['small', true, false],
      ]);
    });

    test('are not where more sessions than tables share the work', async () => {
      expect(await tablesOf({ settings: { connections: 4 } })).toEqual([
        ['large', true, false],
        ['larger', true, false],
        ['small', true, false],
      ]);
    });

    test('have statistics unless they are not wanted', async () => {
      const known = (await tablesOf({ request: { analyze: false } })).map(([name, known]) => [name, known]);
      expect(known).toEqual([
        ['large', false],
        ['larger', false],
        ['small', false],
      ]);
    });
  });
});
