import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Manifest } from '../../shared/backup/manifest.ts';
import { quoteQualified } from '../../shared/postgres/identifiers.ts';
import { beginComparison, databaseDifferences } from '../support/compare/compare.ts';
import { contentDifferences } from '../support/compare/content.ts';
import { schemaDifferences } from '../support/compare/schema.ts';
import { createScratchDatabase, forOneServer, type ScratchDatabase } from '../support/servers.ts';
import { createAccounts, INVARIANT, invariantSql, startWriter } from '../support/writer.ts';
import { type RestoredDatabase, useBackupHarness } from './support/harness.ts';
import { type SnapshotWitness, witnessSnapshot } from './support/snapshot-witness.ts';

const harness = useBackupHarness();

/** Everything that moves rows about on disk: new pages, rows on other pages than before, rows gone, pages cut off. */
const upheaval = [
  `INSERT INTO transfers (source, target, amount, note) SELECT 1, 2, 0, repeat('grown ', 50) FROM generate_series(1, 30000)`,
  `UPDATE transfers SET note = note || 'changed' WHERE id % 2 = 0`,
  'DELETE FROM transfers WHERE id % 5 = 0',
  'VACUUM transfers',
  'CREATE TABLE too_late AS SELECT 1 AS n',
  'INSERT INTO grows SELECT n FROM generate_series(1, 200000) AS n',
];

forOneServer((server) => {
  let source: ScratchDatabase;
  let witness: SnapshotWitness;
  let manifest: Manifest;
  let restored: RestoredDatabase;
  let committedMeanwhile = 0;

  beforeAll(async () => {
    source = await createScratchDatabase(server);
    await createAccounts(source);
    const client = await source.connect();
    await client.query('CREATE TABLE grows (n int)');
    const writer = await startWriter(source);
    witness = witnessSnapshot(source, async () => {
      for (const statement of upheaval) await client.query(statement);
      await writer.more(50);
    });
    const { committed } = writer;
    manifest = await harness.backUp(witness.target);
    committedMeanwhile = writer.committed - committed;
    await writer.stop();
    restored = await harness.restore(manifest, server);
  });
  afterAll(async () => {
    await source?.drop();
  });

  test('the backup is of the moment of its snapshot, whatever is written meanwhile', async () => {
    expect(committedMeanwhile).toBeGreaterThanOrEqual(50);
    const { rows } = await witness.client().query('SELECT pg_current_snapshot()::text AS transactions');
    expect(rows[0]).toEqual({ transactions: manifest.snapshot.transactions });

    const client = await beginComparison(restored);
    expect(await contentDifferences(witness.client(), client)).toEqual([]);
    await client.end();
    const plain = await restored.connect();
    expect((await plain.query(invariantSql)).rows).toEqual([INVARIANT]);
    await plain.end();
  });

  test('what was written meanwhile is not in it', async () => {
    const differences = await databaseDifferences(source, restored);
    expect(differences).toContain('catalog of relation public.too_late: only in the first');
    expect(differences).toContain('rows of public.grows: 200000 in the first, 0 in the second');
    expect(differences.filter((difference) => difference.startsWith('rows of'))).toHaveLength(5);
  });

  test('the definitions are of the same moment', async () => {
    const databases = [
      { database: source, client: await beginComparison(source) },
      { database: restored, client: await beginComparison(restored) },
    ] as const;
    const differences = await schemaDifferences(...databases);
    expect(differences.filter((difference) => !difference.includes('too_late'))).toEqual([]);
    for (const { client } of databases) await client.end();
  });

  test('the manifest counts the rows of the snapshot, over many chunks', async () => {
    expect(manifest.tables.map(({ name }) => name).sort()).toEqual(['accounts', 'grows', 'settled', 'transfers']);
    for (const { schema, name, rows, chunks } of manifest.tables) {
      const counted = await witness.client().query(`SELECT count(*)::int AS rows FROM ${quoteQualified(schema, name)}`);
      expect({ name, rows }).toEqual({ name, ...counted.rows[0] });
      expect(chunks.reduce((sum, chunk) => sum + chunk.rows, 0)).toBe(rows);
    }
    expect(manifest.tables.find(({ name }) => name === 'transfers')?.chunks.length).toBeGreaterThan(4);
    expect(manifest.totals.rows).toBe(manifest.tables.reduce((sum, { rows }) => sum + rows, 0));
  });

  test('a sequence is never behind a number that a row holds', async () => {
    const client = await restored.connect();
    const { rows } = await client.query(
      `SELECT nextval('transfers_id_seq') > (SELECT max(id) FROM transfers) AS beyond`,
    );
    expect(rows).toEqual([{ beyond: true }]);
    await client.end();
  });
});
