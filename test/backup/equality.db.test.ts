import { expect, test } from 'vitest';
import { databaseDifferences } from '../support/compare/compare.ts';
import { createEverything } from '../support/everything/create-everything.ts';
import { forEachServer } from '../support/servers.ts';
import { useBackupHarness } from './support/harness.ts';

const harness = useBackupHarness();

forEachServer((server) => {
  test('a database with one of everything comes back equal', async () => {
    const source = await createEverything(server, {});
    const manifest = await harness.backUp(source.target());
    const restored = await harness.restore(manifest, server);
    expect(restored.summary.warnings).toEqual([]);
    expect(await databaseDifferences(source, restored)).toEqual([]);
  });
});
