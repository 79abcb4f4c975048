import { expect, test } from 'vitest';
import { newBackupId } from '../../shared/state/ids.ts';
import {
  createScratchDatabase,
  forOneServer,
  type ScratchDatabase,
  type TestServer,
  withClient,
} from '../support/servers.ts';
import { useBackupHarness } from './support/harness.ts';

const harness = useBackupHarness();

/** What the backup's own sessions are called, so that they can be told from a test's. */
const APPLICATION = 'dbms fault test';

async function withRows(server: TestServer, megabytes: number, sql = ''): Promise<ScratchDatabase> {
  const source = await createScratchDatabase(server);
  await withClient(server, source.name, (client) =>
    client.query(`
      CREATE TABLE filled (id int PRIMARY KEY, text text NOT NULL);
      INSERT INTO filled SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, ${megabytes * 1000}) i;
      ${sql}`),
  );
  return source;
}

/** No session of the backup or restore, no database under construction, no upload: what every failure must leave. */
async function expectNothingLeft(server: TestServer, backupId?: string): Promise<void> {
  await expect
    .poll(() =>
      withClient(server, 'postgres', async (client) => {
        const { rows } = await client.query<{ left: string }>(
          `SELECT 'session in ' || datname || ': ' || query AS left FROM pg_stat_activity WHERE application_name = $1
            UNION ALL SELECT 'database ' || datname FROM pg_database WHERE datname LIKE 'dbms\\_restoring\\_%'`,
          [APPLICATION],
        );
        return rows.map(({ left }) => left);
      }),
    )
    .toEqual([]);
  expect(await harness.unfinishedUploads()).toEqual([]);
  if (backupId) expect((await harness.keys({ id: backupId })).filter((key) => key.includes('manifest'))).toEqual([]);
}

/** Ends the sessions that a condition picks, as soon as there is one. */
async function terminateWhen(server: TestServer, condition: string): Promise<void> {
  await expect
    .poll(
      () =>
        withClient(server, 'postgres', async (client) => {
          const { rowCount } = await client.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND ${condition}`,
            [APPLICATION],
          );
          return rowCount;
        }),
      { timeout: 120_000, interval: 10 },
    )
    .toBeGreaterThan(0);
}

forOneServer((server) => {
  test.each([
    [
      'the session that keeps the snapshot',
      "query LIKE '%pg_export_snapshot%' OR (state = 'idle in transaction' AND query LIKE '%lo%')",
      // Which of its sessions hears of it first differs from one time to the next.
      /^(snapshot_lost|connection_lost)$/,
    ],
    ['a session that reads rows', "query LIKE 'COPY%'", /^connection_lost$/],
  ])('a backup fails in words when the server ends %s', async (_, condition, code) => {
    const source = await withRows(server, 60);
    const id = newBackupId();
    const backup = harness.backUp(source.target({ applicationName: APPLICATION }), { id }).then(
      () => 'succeeded',
      (error: unknown) => error,
    );
    // Only once rows are being read: the moment in which most is open.
    await terminateWhen(
      server,
      `(${condition}) AND EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'COPY%' AND application_name = '${APPLICATION}')`,
    );
    expect(await backup).toMatchObject({ code: expect.stringMatching(code), nextStep: expect.stringMatching(/./) });
    await expectNothingLeft(server, id);
    await source.drop();
  });

  test('a backup waits for a locked table no longer than the lock time-out, and says what is locked', async () => {
    const source = await withRows(server, 1);
    const id = newBackupId();
    const other = await source.connect();
    await other.query('BEGIN; LOCK TABLE filled IN ACCESS EXCLUSIVE MODE');
    const target = source.target({ applicationName: APPLICATION });
    const impatient = { ...target, limits: { ...target.limits, lock_timeout_ms: 300 } };
    await expect(harness.backUp(impatient, { id })).rejects.toMatchObject({ code: 'table_locked' });
    await other.end();
    await expectNothingLeft(server, id);
    await source.drop();
  });

  test('a backup that is told to stop ends its statements and takes back what it began', async () => {
    const source = await withRows(server, 60);
    const id = newBackupId();
    const stop = new AbortController();
    const backup = harness
      .backUp(source.target({ applicationName: APPLICATION }), { id, signal: stop.signal })
      .catch((error: unknown) => error);
    await expect
      .poll(
        () =>
          withClient(server, 'postgres', async (client) => {
            const sql = `SELECT FROM pg_stat_activity WHERE application_name = $1 AND query LIKE 'COPY%'`;
            return (await client.query(sql, [APPLICATION])).rowCount;
          }),
        { timeout: 120_000, interval: 10 },
      )
      .toBeGreaterThan(0);
    stop.abort(new Error('told to stop'));
    expect(await backup).toMatchObject({ message: 'told to stop' });
    await expectNothingLeft(server, id);
    await source.drop();
  });

  test.each([
    [
      'wrong password',
      { credentials: async () => ({ user: 'postgres', password: 'certainly wrong' }) },
      /password|login/i,
    ],
    ['missing database', { database: 'no_such_database' }, /no_such_database/],
    ['unreachable server', { host: '127.0.0.1', port: 9 }, /127\.0\.0\.1|reach/i],
  ])(
    'a backup with a %s fails at once with the cause and the next step, and no password in it',
    async (_, changes, words) => {
      const source = await createScratchDatabase(server);
      const id = newBackupId();
      const failure = await harness
        .backUp(source.target({ applicationName: APPLICATION, ...changes }), { id })
        .catch((error: unknown) => error);
      const { message, nextStep } = failure as { message: string; nextStep: string };
      expect(message).toMatch(words);
      expect(nextStep).toMatch(/./);
      expect(`${message} ${nextStep}`).not.toContain('certainly wrong');
      await expectNothingLeft(server, id);
      await source.drop();
    },
  );

  // A disk that is really full would need a file system of the test's own; the server's answer is the same.
  test.each([
    ['while rows are loaded', 'ALTER TABLE filled ADD CHECK (has_room(id))'],
    ['while indexes are built', 'CREATE INDEX ON filled ((has_room(id)))'],
  ])('a restore onto a full disk %s says so and offers nothing', async (_, sql) => {
    const source = await withRows(
      server,
      1,
      `CREATE FUNCTION has_room(int) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$
       BEGIN
         IF current_database() LIKE 'dbms\\_restoring\\_%' AND $1 = 500 THEN
           RAISE 'could not extend file "base/1/2": No space left on device' USING ERRCODE = '53100';
         END IF;
         RETURN true;
       END $$;
       ${sql};`,
    );
    const manifest = await harness.backUp(source.target());
    const name = `${source.name}_copy`;
    const failure = await harness
      .restore(manifest, server, { name, target: source.target({ applicationName: APPLICATION }) })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'disk_full', message: expect.stringContaining('No space left on device') });
    const databases = await withClient(server, 'postgres', (client) =>
      client.query('SELECT FROM pg_database WHERE datname = $1', [name]),
    );
    expect(databases.rowCount).toBe(0);
    await expectNothingLeft(server);
    await source.drop();
  });

  test('a restore whose session is ended offers nothing, and can be run again', async () => {
    const source = await withRows(server, 60);
    const manifest = await harness.backUp(source.target());
    const name = `${source.name}_copy`;
    const target = source.target({ applicationName: APPLICATION });
    const restore = harness.restore(manifest, server, { name, target }).catch((error: unknown) => error);
    await terminateWhen(server, "query LIKE 'COPY%'");
    expect(await restore).toMatchObject({ code: 'connection_lost' });
    await expectNothingLeft(server);
    const again = await harness.restore(manifest, server, { name, target });
    expect(again.summary.rows).toBe(60_000);
    await again.drop();
    await source.drop();
  });
});
