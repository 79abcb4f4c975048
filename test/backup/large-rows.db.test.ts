import { expect, test } from 'vitest';
import { databaseDifferences } from '../support/compare/compare.ts';
import { createScratchDatabase, forEachServer, withClient } from '../support/servers.ts';
import { useBackupHarness } from './support/harness.ts';

const harness = useBackupHarness();

forEachServer((server) => {
  test('a table of 1,600 columns, each with a name of 63 bytes, comes back equal', async () => {
    const source = await createScratchDatabase(server);
    const names = Array.from({ length: 1600 }, (_, n) => `"${`column ${n} `.padEnd(63, 'x')}"`);
    await withClient(server, source.name, async (client) => {
      await client.query(`CREATE TABLE wide (${names.map((name) => `${name} int`).join(', ')})`);
      const values = names.map((_, n) => (n % 7 === 0 ? 'NULL' : `n * ${n}`)).join(', ');
      await client.query(`INSERT INTO wide SELECT ${values} FROM generate_series(1, 20) AS n`);
    });
    const manifest = await harness.backUp(source.target());
    expect(manifest.tables[0]?.columns).toHaveLength(1600);
    const restored = await harness.restore(manifest, server);
    expect(await databaseDifferences(source, restored)).toEqual([]);
    await source.drop();
  });
});
