import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../shared/backup/manifest.ts';
import { databaseDifferences } from '../support/compare/compare.ts';
import { createEverything } from '../support/everything/create-everything.ts';
import { createNorthwind, northwindIsPresent } from '../support/northwind.ts';
import { forEachServer, type ScratchDatabase } from '../support/servers.ts';
import { useBackupHarness } from './support/harness.ts';

const harness = useBackupHarness();

forEachServer((server) => {
  describe('a database with one of everything', () => {
    let source: ScratchDatabase;
    let manifest: Manifest;

    beforeAll(async () => {
      source = await createEverything(server, { bigRowBytes: 50_000_000 });
      manifest = await harness.backUp(source.target());
    });
    afterAll(async () => {
      await source?.drop();
    });

    test('comes back equal', async () => {
      const restored = await harness.restore(manifest, server);
      expect(restored.summary.warnings).toEqual([]);
      expect(await databaseDifferences(source, restored)).toEqual([]);
      await restored.drop();
    });
  });

  test.runIf(northwindIsPresent)(
    northwindIsPresent
      ? 'Northwind comes back equal'
      : 'Northwind is left out, as ../shared/data/northwind.sql is not there',
    async () => {
      const source = await createNorthwind(server);
      const manifest = await harness.backUp(source.target());
      expect(manifest.totals).toMatchObject({ tables: 14, rows: 3362 });
      const restored = await harness.restore(manifest, server);
      expect(restored.summary.warnings).toEqual([]);
      expect(await databaseDifferences(source, restored)).toEqual([]);
      await restored.drop();
      await source.drop();
    },
  );
});
