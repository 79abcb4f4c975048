import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Manifest } from '../../shared/backup/manifest.ts';
import { databaseDifferences } from '../support/compare/compare.ts';
import { createEverything, createEverythingRoles } from '../support/everything/create-everything.ts';
import { createNorthwind, northwindIsPresent } from '../support/northwind.ts';
import { databaseOf, forEachServer, type ScratchDatabase, withClient } from '../support/servers.ts';
import { useBackupHarness } from './support/harness.ts';

/**
 * How the same database reads on a newer server. What a view answers is compared with the rows, whatever its text.
 */
const VERSION_DIFFERENCES = [
  // From 16 on, columns in the text of a view are not qualified where it has but one table.
  /^dump of .*; Type: (VIEW|MATERIALIZED VIEW|RULE); .*: differs/s,
  /^catalog of relation .*, query: differs/s,
  /^catalog of rule "_RETURN" on .*, definition: differs/s,
  // From 17 on there is one more privilege on tables, which shows where an owner gave up another one.
  /^dump of TABLE (mine|nobodys); Type: ACL; Schema: owned; .*: differs: .*MAINTAIN/s,
  // From 18 on NOT NULL is a constraint, whose name shows where a long table's name cuts it short.
  /^dump of ü{31}y; Type: TABLE; .*: differs: .*_id_not_null/s,
  // From 14 on each range type has a multirange type, with functions and a cast, and catalogs tell how a column is compressed.
  /^catalog of (cast|routine|type) .*_span_multirange/,
  /^(catalog of type types\.\w+_span, range|dump of \w+_span; Type: TYPE; .*): differs: .*multirange/s,
  /^catalog of column .*, compression: differs: "(\\"\\"|null)" in the first/s,
  // From 15 on an ICU collation has one locale, and catalogs tell of publications and of triggers on partitions what they did not.
  /^catalog of collation code\."Icu nocase", locale: differs/,
  /^catalog of publication \w+, (schemas|tables): /,
  /^catalog of trigger on_parts on guards\.parts_\w+: only in /,
];

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

    test.for(inject('allServers').filter(({ version }) => version > server.version))(
      'comes back equal on $label',
      async (newer) => {
        await createEverythingRoles(newer);
        const restored = await harness.restore(manifest, newer);
        expect(restored.summary.warnings).toEqual([]);
        const differences = await databaseDifferences(source, restored);
        expect(differences.filter((difference) => !VERSION_DIFFERENCES.some((one) => one.test(difference)))).toEqual(
          [],
        );
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
