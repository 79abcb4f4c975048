import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../shared/backup/manifest.ts';
import { databaseDifferences } from '../support/compare/compare.ts';
import { beyondVersions } from '../support/compare/version-differences.ts';
import { createEverything, createEverythingRoles } from '../support/everything/create-everything.ts';
import { createNorthwind, northwindIsPresent } from '../support/northwind.ts';
import { allServers, databaseOf, forEachServer, type ScratchDatabase, withClient } from '../support/servers.ts';
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

    test.for(allServers.filter(({ version }) => version > server.version))(
      'comes back equal on $label',
      async (newer) => {
        await createEverythingRoles(newer);
        const restored = await harness.restore(manifest, newer);
        expect(restored.summary.warnings).toEqual([]);
        const differences = await databaseDifferences(source, restored);
        expect(beyondVersions(differences, { from: server.version, to: newer.version })).toEqual([]);
        await restored.drop();
      },
    );
  });

  test('a database in LATIN1 comes back equal, with names beyond ASCII', async () => {
    const source = databaseOf(server, `latin_${randomBytes(4).toString('hex')}`);
    await withClient(server, 'postgres', (client) =>
      client.query(`CREATE DATABASE ${source.name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`),
    );
    await withClient(server, source.name, (client) =>
      client.query(`CREATE TABLE "Zürich" ("größe" text); INSERT INTO "Zürich" VALUES ('élan'), (E'\\t\\\\')`),
    );
    const restored = await harness.restore(await harness.backUp(source.target()), server);
    expect(await databaseDifferences(source, restored)).toEqual([]);
    await restored.drop();
    await source.drop();
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
