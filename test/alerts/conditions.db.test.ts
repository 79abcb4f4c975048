import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CheckName, EffectiveCheck } from '../../shared/health/checks.ts';
import type { Watcher } from '../../shared/health/watch-database.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../support/servers.ts';
import { startWatched, type Watched } from './support/watched.ts';

let watched: Watched;
let database: ScratchDatabase;
let watcher: Watcher;
let client: pg.Client;
/** Connections of a test; what it leaves open is closed after it. */
let others: pg.Client[] = [];

beforeAll(async () => {
  watched = await startWatched();
  database = await createScratchDatabase(anyServer());
  watcher = watched.watcher(database.target({ applicationName: 'dbms sample' }));
  client = await database.connect();
  await client.query('CREATE TABLE accounts (id int PRIMARY KEY, n int); INSERT INTO accounts VALUES (1, 0), (2, 0)');
});
afterAll(async () => {
  await watcher?.close();
  await client?.end();
  await database?.drop();
  await watched?.close();
});
beforeEach(() => {
  others = [];
});
afterEach(async () => {
  for (const other of others) await other.end().catch(() => undefined);
});

const another = async (): Promise<pg.Client> => {
  const opened = await database.connect();
  others.push(opened);
  return opened;
};
const pidOf = async (session: pg.Client): Promise<number> => {
  const { rows } = await session.query('SELECT pg_backend_pid() AS pid');
  return rows[0].pid;
};
const untilIn = async (condition: string, pid: number): Promise<void> => {
  for (;;) {
    const { rowCount } = await client.query(`SELECT FROM pg_stat_activity WHERE pid = $1 AND ${condition}`, [pid]);
    if (rowCount) return;
  }
};

const deadlocks = async (): Promise<number> => {
  const { rows } = await client.query('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()');
  return Number(rows[0].deadlocks);
};

/** Sessions of the server that tests before have left go on for a while, and would be slow, waiting or idle. */
const untilQuiet = async (): Promise<void> => {
  const busy = `SELECT FROM pg_stat_activity
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'`;
  while ((await client.query(busy)).rowCount) await setTimeout(50);
};

interface Condition {
  check: CheckName;
  levels: EffectiveCheck['levels'];
  /** Makes the condition; gives what ends it. */
  make: () => Promise<() => Promise<unknown>>;
}

/**
 * The course of every condition: nothing before; then one alert and one mail, however often is looked; when it is gone, the alert
 * is resolved and one mail says so.
 */
async function courseOf({ check, levels, make }: Condition, first = watcher, last = first): Promise<void> {
  if (first === last) await untilQuiet();
  await watched.only({ [check]: { levels } });
  const before = watched.emails().length;
  if (first === last) expect((await watched.watch(first)).changes).toEqual([]);
  const end = await make();
  expect((await watched.watch(first)).changes).toMatchObject([
    { kind: 'open', check, level: Object.keys(levels).at(-1) },
  ]);
  if (check !== 'deadlocks') expect((await watched.watch(first)).changes).toEqual([]);
  const [opened] = await watched.alerts();
  expect(opened).toMatchObject({
    cause: `check:${check}`,
    status: 'open',
    resolved_at: null,
    mail: { status: 'sent' },
  });
  expect(watched.emails()).toHaveLength(before + 1);

  await end();
  expect((await watched.watch(last)).changes).toMatchObject([{ kind: 'resolve', check }]);
  expect((await watched.watch(last)).changes).toEqual([]);
  const [resolved] = await watched.alerts();
  expect(resolved).toMatchObject({
    id: opened?.id,
    status: 'resolved',
    resolved_by: 'system',
    mail: { status: 'sent' },
  });
  const [told, over] = watched.emails().slice(before);
  expect(watched.emails()).toHaveLength(before + 2);
  expect(told?.subject).toMatch(new RegExp(`^\\[${opened?.level}\\] tested: ${opened?.title}: .+ \\(threshold .+\\)$`));
  expect(over?.subject).toBe(`[RESOLVED] tested: ${opened?.title} is over`);
}

test('a blocked session', () =>
  courseOf({
    check: 'blocked_sessions',
    levels: { WARNING: 0.000_001 },
    async make() {
      const [holder, waiter] = [await another(), await another()];
      await holder.query('BEGIN; UPDATE accounts SET n = 1 WHERE id = 1');
      const pid = await pidOf(waiter);
      const waiting = waiter.query('UPDATE accounts SET n = 2 WHERE id = 1');
      await untilIn("wait_event_type = 'Lock'", pid);
      return async () => {
        await holder.query('ROLLBACK');
        await waiting;
      };
    },
  }));

test('a session idle in a transaction', () =>
  courseOf({
    check: 'idle_in_transaction',
    levels: { WARNING: 0.000_001 },
    async make() {
      const idle = await another();
      await idle.query('BEGIN');
      await untilIn("state = 'idle in transaction'", await pidOf(idle));
      return () => idle.query('ROLLBACK');
    },
  }));

test('a flood of connections', async () => {
  const { rows } = await client.query(
    "SELECT count(*)::int AS used, current_setting('max_connections')::int AS most FROM pg_stat_activity WHERE backend_type = 'client backend'",
  );
  await courseOf({
    check: 'connections',
    levels: { CRITICAL: (rows[0].used + 10) / rows[0].most },
    async make() {
      const flood = await Promise.all(Array.from({ length: 15 }, another));
      return async () => {
        await Promise.all(flood.map((session) => session.end()));
        // The server counts a session for a moment after its end.
        for (let left = 1; left > 0; ) {
          const counted = await client.query(
            "SELECT count(*)::int AS left FROM pg_stat_activity WHERE application_name = 'test' AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
          );
          left = counted.rows[0].left;
        }
      };
    },
  });
});

test('a slow query', () =>
  courseOf({
    check: 'slow_queries',
    levels: { ERROR: 1 },
    async make() {
      const slow = await another();
      const pid = await pidOf(slow);
      const sleeping = slow.query('SELECT pg_sleep(300)').catch(() => undefined);
      await untilIn("query LIKE '%pg_sleep(300)%' AND clock_timestamp() - query_start > interval '50 ms'", pid);
      return async () => {
        await client.query('SELECT pg_cancel_backend($1)', [pid]);
        await sleeping;
        // The client hears of the error before the server has put the query away.
        await untilIn("state <> 'active'", pid);
      };
    },
  }));

test('a deadlock', () =>
  courseOf({
    check: 'deadlocks',
    levels: { WARNING: 1 },
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
      // A session hands its counters over at its end; until PostgreSQL 14 another process writes them down now and then.
      await Promise.all([one.end(), two.end()]);
      while ((await deadlocks()) === before) await setTimeout(20);
      return async () => undefined;
    },
  }));

test('a replication slot that is left behind', () =>
  courseOf({
    check: 'slot_behind',
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
  await courseOf({
    check: 'wraparound',
    levels,
    async make() {
      for (let id = 0; id < 30; id++) await client.query('SELECT pg_current_xact_id()');
      return () => watched.only({ wraparound: { levels: { CRITICAL: 0.8 } } });
    },
  });
});

test('a sequence near its end', () =>
  courseOf({
    check: 'sequence',
    levels: { ERROR: 0.9 },
    async make() {
      await client.query("CREATE SEQUENCE short AS smallint; SELECT setval('short', 32000)");
      return () => client.query("SELECT setval('short', 1)");
    },
  }));

test('an invalid index', () =>
  courseOf({
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
  await courseOf({ check: 'disk', levels, make: async () => async () => undefined }, small, large);
  await small.close();
  await large.close();
});

test('a database that is down, and up again', async () => {
  const gone = watched.watcher(database.target({ port: 1 }));
  await courseOf(
    { check: 'availability', levels: { CRITICAL: 1 }, make: async () => async () => undefined },
    gone,
    watcher,
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
