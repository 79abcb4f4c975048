import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSlotHealth } from '../../shared/changes/guard/guard.ts';
import { takeReading } from '../../shared/health/sample/take-reading.ts';
import { useBackupHarness } from '../backup/support/harness.ts';
import { auroraReaderSql, auroraVersionSql, auroraWriterSql } from '../support/aurora.sql.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase, withClient } from '../support/servers.ts';

const harness = useBackupHarness();
const server = anyServer();

/** Where Aurora does not tell how far its log is: what it says, and to what. */
describe.each([
  ['a writer without logical replication', auroraWriterSql, "(SQLSTATE 55000): wal_level must be set to 'logical'"],
  ['a reader', auroraReaderSql, '(SQLSTATE 0A000): Function pg_last_wal_replay_lsn() is currently not supported'],
])('Aurora: %s', (name, sql, said) => {
  let source: ScratchDatabase;
  const run = (statement: string) => withClient(server, source.name, (client) => client.query(statement));
  beforeAll(async () => {
    source = await createScratchDatabase(server);
    await run('CREATE TABLE things AS SELECT generate_series(1, 500) AS n');
    await run(sql);
  });
  afterAll(() => source?.drop());

  const answers = async () => {
    const client = await source.connect();
    await client.query("SELECT pg_create_logical_replication_slot('kept', 'test_decoding')");
    try {
      const { values, failures } = await takeReading(client, { slowQuerySeconds: 1, poolLimit: 30 });
      return { values, failures, health: await readSlotHealth(client, 'kept') };
    } finally {
      await client.query("SELECT pg_drop_replication_slot('kept')");
      await client.end();
    }
  };

  test('is backed up all the same, and the backup says why the position is not known', async () => {
    const manifest = await harness.backUp(source.target());
    expect(manifest.snapshot).toMatchObject({ lsn: null, lsn_unknown: expect.stringContaining(said) });
    const restored = await harness.restore(manifest, server);
    const { rows } = await withClient(server, restored.name, (client) =>
      client.query('SELECT count(*)::int AS rows FROM things'),
    );
    expect(rows).toEqual([{ rows: 500 }]);
    expect(restored.summary.warnings).toEqual([]);
  });

  test('leaves unknown what depends on the position, with the reason, and nothing else', async () => {
    const { values, failures, health } = await answers();
    expect(failures[0]).toEqual({ part: 'log position', reason: expect.stringContaining(said) });
    const unread = failures.map(({ part }) => part);
    expect(unread.filter((part) => part !== 'replication lag')).toEqual(['log position']);
    expect(values).toMatchObject({ retained_wal_bytes: null, replicas: 0, slots: 1, slot_wal_usage: 0 });
    expect(values.connections).toEqual(expect.any(Number));
    expect(health).toEqual({ walStatus: 'reserved', retainedBytes: null, safeBytes: null, behindBytes: null });
  });

  // Of a writer its wal_level tells it, which is the whole server's.
  test.runIf(name === 'a reader')(
    'is not asked for what it refuses once it is known to be Aurora, so that its log has no errors of ours',
    async () => {
      await run(auroraVersionSql);
      const { failures } = await answers();
      expect(failures).toEqual([
        { part: 'log position', reason: 'A reader of Aurora tells no position of its log' },
        { part: 'replication lag', reason: expect.stringMatching(/^A reader of Aurora does not tell/) },
      ]);
      const { snapshot } = await harness.backUp(source.target());
      expect(snapshot.lsn_unknown).toBe(failures[0]?.reason);
    },
  );
});

test('another server tells the position, and the backup holds it', async () => {
  const source = await createScratchDatabase(server);
  const { snapshot } = await harness.backUp(source.target());
  expect(snapshot.lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
  expect(snapshot).not.toHaveProperty('lsn_unknown');
  await source.drop();
});
