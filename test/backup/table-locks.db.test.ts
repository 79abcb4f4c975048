import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newBackupId } from '../../shared/state/ids.ts';
import {
  anyServer,
  createScratchDatabase,
  forOneServer,
  type ScratchDatabase,
  type TestServer,
  withClient,
} from '../support/servers.ts';
import { useBackupHarness } from './support/harness.ts';
import { holdRows } from './support/jobs.ts';

const harness = useBackupHarness();
const APPLICATION = 'dbms lock test';

const sessions = <Row>(server: TestServer, sql: string) =>
  withClient(server, 'postgres', async (client) => (await client.query(sql, [APPLICATION])).rows as Row[]);

forOneServer((server) => {
  let source: ScratchDatabase;
  beforeAll(async () => {
    source = await createScratchDatabase(server);
    await withClient(server, source.name, (client) =>
      client.query(`
        CREATE TABLE item (id int PRIMARY KEY, text text);
        INSERT INTO item SELECT n, md5(n::text) FROM generate_series(1, 1000) AS n;
        CREATE TABLE other AS TABLE item; CREATE VIEW names AS SELECT text FROM item`),
    );
  });
  afterAll(() => source?.drop());

  test('a backup blocks no writer, and nobody drops or alters a table under it', async () => {
    const hold = holdRows(harness.store.s3, ['PutObjectCommand', 'CreateMultipartUploadCommand']);
    // One session reads one table at a time: the other one is kept by the holder of the snapshot alone.
    const settings = { connections: 1 };
    const backup = harness.backUp(source.target({ applicationName: APPLICATION }), { settings });
    try {
      await hold.reached;
      const locked = await sessions<{ mode: string; count: number }>(
        server,
        `SELECT mode, count(DISTINCT relation)::int FROM pg_locks JOIN pg_stat_activity USING (pid)
          WHERE application_name = $1 AND locktype = 'relation' AND relation >= 16384 GROUP BY mode`,
      );
      expect(locked).toEqual([{ mode: 'AccessShareLock', count: expect.any(Number) }]);
      expect(locked[0]?.count).toBeGreaterThanOrEqual(2);
      await withClient(server, source.name, async (client) => {
        await client.query("SET lock_timeout = '5s'");
        for (const sql of [
          "INSERT INTO item VALUES (0, 'new')",
          "UPDATE item SET text = 'changed' WHERE id < 500",
          'DELETE FROM item WHERE id > 900',
          'SELECT FROM item FOR UPDATE',
          'CREATE INDEX ON other (id)',
          'CREATE TABLE later (id int)',
        ]) {
          await client.query(sql);
        }
        await client.query("SET lock_timeout = '100ms'");
        for (const sql of [
          'DROP TABLE item',
          'ALTER TABLE other DROP COLUMN text',
          'TRUNCATE item',
          'VACUUM FULL other',
        ]) {
          await expect(client.query(sql), sql).rejects.toMatchObject({ code: '55P03' });
        }
      });
    } finally {
      hold.letGo();
    }
    const { tables } = await backup;
    expect(tables.map(({ name, rows }) => [name, rows])).toEqual([
      ['item', 1000],
      ['other', 1000],
    ]);
  });
});

describe('a backup is not of a table that is changed before it is locked:', () => {
  const server = anyServer();
  test.each([
    ['dropped', 'DROP TABLE item CASCADE'],
    ['emptied', 'TRUNCATE item'],
    ['rewritten', 'ALTER TABLE item ADD COLUMN made timestamptz NOT NULL DEFAULT clock_timestamp()'],
    ['replaced by another of its name', 'ALTER TABLE item RENAME TO old; CREATE TABLE item AS TABLE old'],
    ['altered in a column', 'ALTER TABLE item RENAME COLUMN id TO number'],
    ['moved to another schema', 'CREATE SCHEMA elsewhere; ALTER TABLE item SET SCHEMA elsewhere'],
  ])('%s', async (_, sql) => {
    const changed = await createScratchDatabase(server);
    const other = await changed.connect();
    await other.query('CREATE TABLE item AS SELECT n AS id FROM generate_series(1, 100) AS n');
    await other.query(`BEGIN; ${sql}`);
    const id = newBackupId();
    const backup = harness
      .backUp(changed.target({ applicationName: APPLICATION }), { id })
      .catch((error: unknown) => error);
    // In its snapshot the change is not made yet.
    await expect
      .poll(() =>
        sessions(server, `SELECT FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'`),
      )
      .toHaveLength(1);
    await other.query('COMMIT');
    expect(await backup).toMatchObject({ code: 'table_changed', message: expect.stringMatching(/item|id/) });
    expect([...(await harness.keys({ id })), ...(await harness.unfinishedUploads())]).toEqual([]);
    const again = await harness.backUp(changed.target());
    expect(again.totals.rows).toBe(
      sql.startsWith('DROP') || sql.startsWith('TRUNCATE') ? 0 : 100 + (sql.includes('AS TABLE') ? 100 : 0),
    );
    await changed.drop();
  });
});
