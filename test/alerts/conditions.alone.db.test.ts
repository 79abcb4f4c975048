import { setTimeout } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { courseOf, endSessions, pidOf, untilIn } from './support/course.ts';
import { useWatchedDatabase } from './support/watched-database.ts';

const { here, another, conditionIn } = useWatchedDatabase();
let { watched, database, watcher, client } = {} as ReturnType<typeof here>;
beforeAll(async () => {
  ({ watched, database, watcher, client } = here());
  await client.query('CREATE TABLE accounts (id int PRIMARY KEY, n int); INSERT INTO accounts VALUES (1, 0), (2, 0)');
});

test('a blocked session', () =>
  conditionIn({
    check: 'blocked_sessions',
    levels: { WARNING: 0.000_001 },
    async make() {
      const [holder, waiter] = [await another(), await another()];
      await holder.query('BEGIN; UPDATE accounts SET n = 1 WHERE id = 1');
      const pid = pidOf(waiter);
      const waiting = waiter.query('UPDATE accounts SET n = 2 WHERE id = 1');
      await untilIn(client, "wait_event_type = 'Lock'", pid);
      return async () => {
        await holder.query('ROLLBACK');
        await waiting;
      };
    },
  }));

test('a session idle in a transaction', () =>
  conditionIn({
    check: 'idle_in_transaction',
    levels: { WARNING: 0.000_001 },
    async make() {
      const idle = await another();
      await idle.query('BEGIN');
      await untilIn(client, "state = 'idle in transaction'", pidOf(idle));
      return () => idle.query('ROLLBACK');
    },
  }));

test('a flood of connections', async () => {
  const { rows } = await client.query(
    "SELECT count(*)::int AS used, current_setting('max_connections')::int AS most FROM pg_stat_activity WHERE backend_type = 'client backend'",
  );
  await conditionIn({
    check: 'connections',
    levels: { CRITICAL: (rows[0].used + 10) / rows[0].most },
    async make() {
      const flood = await Promise.all(Array.from({ length: 15 }, another));
      return () => endSessions(client, flood);
    },
  });
});

test('a slow query', () =>
  conditionIn({
    check: 'slow_queries',
    levels: { ERROR: 1 },
    async make() {
      const slow = await another();
      const pid = pidOf(slow);
      const sleeping = slow.query('SELECT pg_sleep(300)').catch(() => undefined);
      await untilIn(client, "query LIKE '%pg_sleep(300)%' AND clock_timestamp() - query_start > interval '50 ms'", pid);
      return async () => {
        await client.query('SELECT pg_cancel_backend($1)', [pid]);
        await sleeping;
        // The client hears of the error before the server has put the query away.
        await untilIn(client, "state <> 'active'", pid);
      };
    },
  }));

const deadlocks = async (): Promise<number> => {
  const { rows } = await client.query('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()');
  return Number(rows[0].deadlocks);
};

test('a deadlock', () =>
  conditionIn({
    check: 'deadlocks',
    levels: { WARNING: 1 },
    passing: true,
    async make() {
      const [one, two] = [await another(), await another()];
      const before = await deadlocks();
      for (const session of [one, two]) await session.query("SET deadlock_timeout = '10ms'; BEGIN");
      await one.query('UPDATE accounts SET n = 1 WHERE id = 1');
      await two.query('UPDATE accounts SET n = 1 WHERE id = 2');
      const both = [
        one.query('UPDATE accounts SET n = 1 WHERE id = 2'),
        two.query('UPDATE accounts SET n = 1 WHERE id = 1'),
      ];
      const results = await Promise.allSettled(both);
      expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
      await endSessions(client, [one, two]);
      // Until PostgreSQL 14 another process writes the counters down now and then.
      while ((await deadlocks()) === before) await setTimeout(20);
      return async () => undefined;
    },
  }));

test('a replication slot that is left behind', () =>
  conditionIn({
    check: 'slot_behind',
    detail: 'left_behind',
    levels: { WARNING: 100_000 },
    async make() {
      await client.query("SELECT pg_create_logical_replication_slot('left_behind', 'test_decoding')");
      await client.query('CREATE TABLE filler AS SELECT i FROM generate_series(1, 20000) i');
      return () => client.query("SELECT pg_drop_replication_slot('left_behind'); DROP TABLE filler");
    },
  }));

test('transaction ids towards wraparound, by a threshold that the age has passed', async () => {
  const { rows } = await client.query('SELECT max(age(datfrozenxid)) / 2147483648::float8 AS usage FROM pg_database');
  const levels = { CRITICAL: rows[0].usage + 20 / 2 ** 31 };
  await conditionIn({
    check: 'wraparound',
    levels,
    async make() {
      for (let id = 0; id < 30; id++) await client.query('SELECT pg_current_xact_id()');
      return () => watched.only({ wraparound: { levels: { CRITICAL: 0.8 } } });
    },
  });
});

test('a sequence near its end', () =>
  conditionIn({
    check: 'sequence',
    levels: { ERROR: 0.9 },
    async make() {
      await client.query("CREATE SEQUENCE short AS smallint; SELECT setval('short', 32000)");
      return () => client.query("SELECT setval('short', 1)");
    },
  }));

test('an invalid index', () =>
  conditionIn({
    check: 'invalid_indexes',
    levels: { WARNING: 1 },
    async make() {
      await client.query('CREATE TABLE twice (n int); INSERT INTO twice VALUES (1), (1)');
      await expect(client.query('CREATE UNIQUE INDEX CONCURRENTLY twice_n ON twice (n)')).rejects.toThrow('twice_n');
      return () => client.query('DROP INDEX twice_n');
    },
  }));

test('a disk that is nearly full', async () => {
  const target = database.target({ applicationName: 'dbms sample' });
  const small = watched.watcher(target, { storage_gigabytes: 0.001 });
  const large = watched.watcher(target, { storage_gigabytes: 10_000 });
  const levels = { CRITICAL: 0.95 };
  await courseOf(
    { watched, first: small, last: large },
    { check: 'disk', levels, make: async () => async () => undefined },
  );
  await small.close();
  await large.close();
});

test('a database that is down, and up again', async () => {
  const gone = watched.watcher(database.target({ port: 1 }));
  await courseOf(
    { watched, first: gone, last: watcher },
    { check: 'availability', levels: { CRITICAL: 1 }, make: async () => async () => undefined },
  );
  const mail = watched.emails().at(-2);
  expect(mail?.text).toContain('What to do: ');
  expect(mail?.text).toContain('No connection to database');
  expect(mail?.to).toEqual(['dba@example.com', 'second@example.com']);
  expect(mail?.html).toContain('https://console.example/tested');
});

test('a session that ends does not end the watching', async () => {
  await watched.only({ availability: { levels: { CRITICAL: 1 } } });
  await watched.watch(watcher);
  await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dbms sample'");
  const { state, changes } = await watched.watch(watcher);
  expect([state.latest?.values.up, changes]).toEqual([1, []]);
});
