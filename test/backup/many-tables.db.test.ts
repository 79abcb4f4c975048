import { expect, test } from 'vitest';
import { anyServer, createScratchDatabase, withClient } from '../support/servers.ts';
import { useBackupHarness } from './support/harness.ts';

const harness = useBackupHarness();
const TABLES = 500;

test('each of many tables is one small object, and comes back', async () => {
  const server = anyServer();
  const source = await createScratchDatabase(server);
  await withClient(server, source.name, async (client) => {
    for (let batch = 0; batch < TABLES; batch += 100) {
      await client.query(`DO $$ BEGIN
        FOR n IN ${batch}..${batch + 99} LOOP
          EXECUTE format('CREATE TABLE table_%s (n int PRIMARY KEY); INSERT INTO table_%1$s VALUES (%1$s)', n);
        END LOOP;
      END $$`);
    }
  });
  const manifest = await harness.backUp(source.target(), { settings: { connections: 4 } });
  expect(manifest.totals).toMatchObject({ tables: TABLES, rows: TABLES, objects: TABLES + 2 });
  expect(await harness.keys(manifest)).toHaveLength(TABLES + 2);
  const restored = await harness.restore(manifest, server, { settings: { connections: 4 } });
  const sum = `SELECT count(*)::int AS tables, sum((xpath('/row/n/text()', query_to_xml('SELECT n FROM ' || relname, true, true, '')))[1]::text::int)::int AS sum
    FROM pg_class WHERE relname LIKE 'table\\_%' AND relkind = 'r'`;
  const { rows } = await withClient(server, restored.name, (client) => client.query(sum));
  expect(rows).toEqual([{ tables: TABLES, sum: (TABLES * (TABLES - 1)) / 2 }]);
  await source.drop();
});
