import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { flushLog } from '../../../shared/backup/restore/flush-log.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase, withClient } from '../../support/servers.ts';

forEachServer((server) => {
  let database: ScratchDatabase;

  beforeAll(async () => {
    database = await createScratchDatabase(server);
  });
  afterAll(async () => {
    await database?.drop();
  });

  const flushedTransactions = () =>
    withClient(server, 'postgres', async (client) => {
      const { rows } = await client.query<{ sessions: number; commits: number }>(
        `SELECT (SELECT count(*)::int FROM pg_stat_activity WHERE datname = $1) AS sessions,
                (SELECT xact_commit::int FROM pg_stat_database WHERE datname = $1) AS commits`,
        [database.name],
      );
      return rows[0] ?? { sessions: 0, commits: 0 };
    });

  describe(`flushing the log of ${server.label}`, () => {
    test('commits over and over until it is stopped, and leaves no session', async () => {
      const before = await flushedTransactions();
      const flushing = flushLog(database.target(), database.name);
      try {
        await vi.waitFor(async () => expect((await flushedTransactions()).sessions).toBe(1), 10_000);
        await vi.waitFor(
          async () => expect((await flushedTransactions()).commits).toBeGreaterThan(before.commits + 80),
          20_000,
        );
      } finally {
        flushing.stop();
        await flushing.ended;
      }
      await vi.waitFor(async () => expect((await flushedTransactions()).sessions).toBe(0), 10_000);
    });

    test('is done without where the server refuses a session', async () => {
      const flushing = flushLog(database.target(), 'no_such_database');
      await expect(flushing.ended).resolves.toBeUndefined();
    });
  });
});
