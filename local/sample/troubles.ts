import type pg from 'pg';
import type { Level } from '../../shared/contract/schemas/health.ts';
import { sampleDatabase } from './sample.ts';
import type { TroubleSessions } from './trouble-sessions.ts';

/** One kind of trouble. */
export type Trouble = {
  /** By its name in the thresholds. */
  readonly check: string;
  readonly says: string;
  /** So low that nobody has to wait for hours, and at WARNING, as INFO is mailed once a day only. */
  readonly levels: Partial<Record<Level, number>>;
  /** The trouble is that the threshold is low: there is nothing to make. */
  readonly byThreshold?: true;
  /** Makes it and gives what ends it. */
  readonly make: (sessions: TroubleSessions) => Promise<() => Promise<unknown>>;
};

const over = async (): Promise<void> => undefined;
const failed = (): void => undefined;
const byThreshold = { byThreshold: true, make: async () => over } as const;

/** Sessions of this system are known by their name; a backup that hangs would look like these. */
const OWN_SESSIONS = 10;
const FLOOD = 45;
const SLOW_SESSIONS = 20;
const ROLLBACKS = 300;

/** Sessions that hold something up. */
const ofSessions: Trouble[] = [
  {
    check: 'idle_in_transaction',
    says: 'a session that forgets its transaction',
    levels: { WARNING: 2 },
    make: async ({ open, end }) => {
      const idle = await open();
      await idle.query('BEGIN');
      return () => end([idle]);
    },
  },
  {
    check: 'long_transaction',
    says: 'a transaction that is open for long',
    levels: { WARNING: 2 },
    make: async ({ open, end }) => {
      const long = await open();
      await long.query('BEGIN; SELECT FROM shop.products');
      return () => end([long]);
    },
  },
  {
    check: 'blocked_sessions',
    says: 'a session that waits for a lock',
    levels: { WARNING: 2 },
    make: async ({ open, end }) => {
      const [holder, waiter] = [await open(), await open()];
      await holder.query('BEGIN; UPDATE shop.products SET stock = stock WHERE id = 1');
      const waiting = waiter.query('UPDATE shop.products SET stock = stock WHERE id = 1').catch(failed);
      return async () => {
        await holder.query('ROLLBACK');
        await waiting;
        await end([holder, waiter]);
      };
    },
  },
  ...(['slow_queries', 'longest_query'] as const).map(
    (check): Trouble => ({
      check,
      says: check === 'slow_queries' ? 'a slow query' : 'a query that runs for long',
      levels: { WARNING: check === 'slow_queries' ? 1 : 2 },
      make: async ({ open, end }) => {
        const [slow, other] = [await open(), await open()];
        const { rows } = await slow.query('SELECT pg_catalog.pg_backend_pid() AS pid');
        const sleeping = slow.query('SELECT pg_catalog.pg_sleep(600)').catch(failed);
        return async () => {
          await other.query('SELECT pg_catalog.pg_cancel_backend($1)', [rows[0].pid]);
          await sleeping;
          await end([slow, other]);
        };
      },
    }),
  ),
  {
    check: 'pool',
    says: 'many connections of this system itself',
    levels: { WARNING: 0.25 },
    make: async ({ openMany, end }) => {
      const own = await openMany(OWN_SESSIONS);
      for (const session of own) await session.query("SET application_name = 'dbms trouble'; BEGIN");
      return () => end(own);
    },
  },
  {
    check: 'connections',
    says: 'a flood of connections',
    levels: { WARNING: 0.5 },
    make: async ({ openMany, end }) => {
      const flood = await openMany(FLOOD);
      return () => end(flood);
    },
  },
];

/** What is seen in what has happened from one sample to the next. */
const ofWork: Trouble[] = [
  {
    check: 'deadlocks',
    says: 'a deadlock',
    levels: { WARNING: 1 },
    make: async ({ open, end }) => {
      const [one, two] = [await open(), await open()];
      const lock = (client: pg.Client, id: number) =>
        client.query('UPDATE shop.products SET stock = stock WHERE id = $1', [id]).catch(failed);
      for (const client of [one, two]) await client.query('BEGIN');
      await lock(one, 1);
      await lock(two, 2);
      await Promise.all([lock(one, 2), lock(two, 1)]);
      await end([one, two]);
      return over;
    },
  },
  {
    check: 'error_rate',
    says: 'transactions that are rolled back',
    levels: { WARNING: 0.3 },
    make: async ({ run }) => {
      await run(...Array.from({ length: ROLLBACKS }, () => 'BEGIN; SELECT 1; ROLLBACK'));
      return over;
    },
  },
  {
    check: 'response_time',
    says: 'slow answers',
    levels: { WARNING: 50 },
    make: async ({ openMany, end }) => {
      const slow = await openMany(SLOW_SESSIONS);
      let isOver = false;
      // As long as it is wanted: a sampler that has just begun knows no times of before.
      const answering = slow.map(async (session) => {
        while (!isOver) await session.query('SELECT pg_catalog.pg_sleep(2)');
      });
      return async () => {
        isOver = true;
        await Promise.allSettled(answering);
        await end(slow);
      };
    },
  },
];

/** Slots and ids, which every sample reads. */
const ofServer: Trouble[] = [
  {
    check: 'slot_behind',
    says: 'a replication slot that is left behind',
    levels: { WARNING: 1_000_000 },
    make: async ({ run }) => {
      await run(
        "SELECT pg_catalog.pg_create_logical_replication_slot('trouble', 'test_decoding')",
        'CREATE TABLE shop.left_behind AS SELECT i FROM generate_series(1, 500000) AS i',
      );
      return () => run("SELECT pg_catalog.pg_drop_replication_slot('trouble')", 'DROP TABLE shop.left_behind');
    },
  },
  {
    check: 'inactive_slots',
    says: 'the same slot, which nobody reads',
    levels: { WARNING: 1 },
    make: async () => over,
  },
  {
    check: 'slot_loss',
    says: 'the same slot, near the limit of what the server keeps for it (which is set for it)',
    levels: { WARNING: 0.01 },
    make: async ({ run }) => {
      await run("ALTER SYSTEM SET max_slot_wal_keep_size = '1GB'", 'SELECT pg_catalog.pg_reload_conf()');
      return () => run('ALTER SYSTEM RESET max_slot_wal_keep_size', 'SELECT pg_catalog.pg_reload_conf()');
    },
  },
  {
    check: 'wraparound',
    says: 'transaction ids past their threshold (which is lowered for it)',
    levels: { WARNING: 0 },
    ...byThreshold,
  },
  {
    check: 'multixact_wraparound',
    says: 'multixact ids past their threshold (which is lowered for it)',
    levels: { WARNING: 0 },
    ...byThreshold,
  },
];

const FIVE_MINUTES = '(read every five minutes)';

/** What grows with the number of tables, and what is asked of others, both read less often. */
const ofObjects: Trouble[] = [
  {
    check: 'sequence',
    says: `a sequence near its end ${FIVE_MINUTES}`,
    levels: { WARNING: 0.75 },
    make: async ({ run }) => {
      await run('CREATE SEQUENCE shop.trouble AS smallint', "SELECT pg_catalog.setval('shop.trouble', 32000)");
      return () => run('DROP SEQUENCE shop.trouble');
    },
  },
  {
    check: 'invalid_indexes',
    says: `an index whose building failed ${FIVE_MINUTES}`,
    levels: { WARNING: 1 },
    make: async ({ run }) => {
      await run('CREATE TABLE shop.twice AS SELECT 1 AS n FROM generate_series(1, 2)');
      await run('CREATE UNIQUE INDEX CONCURRENTLY twice_n ON shop.twice (n)').catch(failed);
      return () => run('DROP TABLE shop.twice');
    },
  },
  {
    check: 'dead_rows',
    says: `dead rows ${FIVE_MINUTES}`,
    levels: { WARNING: 0.3 },
    make: async ({ run }) => {
      await run(
        'CREATE TABLE shop.dead (i int) WITH (autovacuum_enabled = false)',
        'INSERT INTO shop.dead SELECT generate_series(1, 500000)',
        'DELETE FROM shop.dead',
      );
      return () => run('DROP TABLE shop.dead');
    },
  },
  {
    check: 'autovacuum',
    says: `the same rows, long not vacuumed ${FIVE_MINUTES}`,
    levels: { WARNING: 1 },
    make: async () => over,
  },
  {
    check: 'disk',
    says: `a disk past its threshold, which is lowered for it ${FIVE_MINUTES}`,
    levels: { WARNING: 0 },
    ...byThreshold,
  },
  {
    check: 'backup_age',
    says: `a backup older than its threshold, which is lowered for it ${FIVE_MINUTES}`,
    levels: { WARNING: 1 },
    ...byThreshold,
  },
];

const ofDatabase: Trouble[] = [
  {
    check: 'availability',
    says: 'a database that takes no connections',
    levels: { CRITICAL: 1 },
    make: async ({ open, end }) => {
      const outside = await open('postgres');
      const allow = (allowed: boolean) =>
        outside.query(`ALTER DATABASE ${sampleDatabase} WITH ALLOW_CONNECTIONS ${allowed}`);
      await allow(false);
      await outside.query(
        'SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = $1',
        [sampleDatabase],
      );
      return async () => {
        await allow(true);
        await end([outside]);
      };
    },
  },
];

/** Kinds that are made together, so that all of them take minutes; the next ones are made when they are over. */
export const troubleRounds: readonly (readonly Trouble[])[] = [ofSessions, ofWork, ofServer, ofObjects, ofDatabase];
