import { beforeAll, test } from 'vitest';
import { endSessions, pidOf, untilIn } from './support/course.ts';
import { useWatchedDatabase } from './support/watched-database.ts';

const { here, another, conditionIn } = useWatchedDatabase();
let { watched, client } = {} as ReturnType<typeof here>;

/** Runs statements in a session of their own, which then ends: only then the server has all that it has counted. */
const inSession = async (...statements: string[]): Promise<void> => {
  const session = await another();
  for (const statement of statements) await session.query(statement);
  await endSessions(client, [session]);
};

beforeAll(async () => {
  ({ watched, client } = here());
  await inSession(
    'CREATE EXTENSION pg_stat_statements',
    'CREATE TABLE changed (i int) WITH (autovacuum_enabled = false)',
    'INSERT INTO changed SELECT generate_series(1, 50000)',
    // More than a quarter of shared_buffers: read past them, in a ring.
    "CREATE TABLE cold AS SELECT i, repeat('x', 1000) AS filler FROM generate_series(1, 45000) AS i",
    "CREATE TABLE warm AS SELECT i, repeat('x', 1000) AS filler FROM generate_series(1, 500) AS i",
  );
});

test('slow answers', () =>
  conditionIn({
    check: 'response_time',
    levels: { WARNING: 200 },
    passing: true,
    async make() {
      const sessions = await Promise.all(Array.from({ length: 10 }, another));
      await Promise.all(sessions.map((session) => session.query('SELECT pg_sleep(1)')));
      return async () => undefined;
    },
  }));

test('transactions that are rolled back', () =>
  conditionIn({
    check: 'error_rate',
    levels: { ERROR: 0.4 },
    passing: true,
    async make() {
      await inSession(...Array.from({ length: 60 }, () => 'BEGIN; SELECT 1; ROLLBACK'));
      return async () => undefined;
    },
  }));

test('pages that are not in shared buffers', () =>
  conditionIn({
    check: 'cache',
    levels: { WARNING: 0.8 },
    passing: true,
    async make() {
      const scan = 'SELECT count(*) FROM cold';
      await inSession('SET max_parallel_workers_per_gather = 0', scan, scan, scan);
      return () =>
        inSession(
          'SELECT sum((SELECT count(*) FROM warm WHERE warm.i + often > 0)) FROM generate_series(1, 200) AS often',
        );
    },
  }));

test('a query that runs for long', () =>
  conditionIn({
    check: 'longest_query',
    levels: { ERROR: 0.1 },
    async make() {
      const long = await another();
      const sleeping = long.query('SELECT pg_sleep(300)').catch(() => undefined);
      await untilIn(client, "state = 'active' AND clock_timestamp() - query_start > interval '100 ms'", pidOf(long));
      return async () => {
        await client.query('SELECT pg_cancel_backend($1)', [pidOf(long)]);
        await sleeping;
        // The client hears of the error before the server has put the query away.
        await untilIn(client, "state <> 'active'", pidOf(long));
      };
    },
  }));

test('a transaction that is open for long', () =>
  conditionIn({
    check: 'long_transaction',
    levels: { WARNING: 0.000_001 },
    async make() {
      const session = await another();
      await session.query('BEGIN; SELECT 1');
      await untilIn(client, "state = 'idle in transaction'", pidOf(session));
      return () => session.query('ROLLBACK');
    },
  }));

test("this system's own connections", () =>
  conditionIn({
    check: 'pool',
    levels: { WARNING: 4 / 30 },
    async make() {
      const sessions = await Promise.all(Array.from({ length: 4 }, another));
      for (const session of sessions) await session.query("SET application_name = 'dbms backup'; BEGIN");
      for (const session of sessions) await untilIn(client, "state = 'idle in transaction'", pidOf(session));
      return () => Promise.all(sessions.map((session) => session.query('ROLLBACK')));
    },
  }));

test.each(['dead_rows', 'autovacuum'] as const)('rows that nobody has vacuumed away (%s)', (check) =>
  conditionIn({
    check,
    levels: { WARNING: check === 'dead_rows' ? 0.3 : 0.000_001 },
    async make() {
      await inSession('DELETE FROM changed WHERE i % 10 <> 0');
      return async () => {
        await inSession('VACUUM changed');
        await inSession('INSERT INTO changed SELECT i FROM generate_series(1, 50000) AS i WHERE i % 10 <> 0');
      };
    },
  }),
);

test('multixact ids towards wraparound, by a threshold that the age has passed', async () => {
  const { rows } = await client.query(
    'SELECT max(mxid_age(datminmxid)) / 2147483648::float8 AS usage FROM pg_database',
  );
  await conditionIn({
    check: 'multixact_wraparound',
    levels: { CRITICAL: rows[0].usage + 4 / 2 ** 31 },
    async make() {
      const [one, two] = [await another(), await another()];
      // Each time two sessions share a row, the two together are a multixact.
      for (let ids = 0; ids < 6; ids++) {
        for (const session of [one, two]) await session.query('BEGIN; SELECT FROM warm WHERE i = 1 FOR SHARE');
        for (const session of [one, two]) await session.query('ROLLBACK');
      }
      return () => watched.only({ multixact_wraparound: { levels: { CRITICAL: 0.8 } } });
    },
  });
});

test('a replication slot that nobody reads', async () => {
  const slot = `unread_${process.pid}`;
  await conditionIn({
    check: 'inactive_slots',
    detail: slot,
    levels: { WARNING: 1 },
    async make() {
      await client.query("SELECT pg_create_logical_replication_slot($1, 'test_decoding')", [slot]);
      return () => client.query('SELECT pg_drop_replication_slot($1)', [slot]);
    },
  });
});
