import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { basePath } from '../../shared/contract/define-route.ts';
import type { LocalPostgres } from '../postgres.ts';
import { sampleDatabase } from './sample.ts';

/** One kind of trouble: makes it and gives what ends it. */
type Trouble = { readonly check: string; readonly says: string; readonly make: () => Promise<() => Promise<unknown>> };

export type TroubleOptions = {
  readonly postgres: LocalPostgres;
  readonly apiUrl: string;
  /** Of a caller who may set thresholds. */
  readonly token: string;
  readonly note: (text: string) => void;
  readonly signal: AbortSignal;
};

/** Thresholds so low that nobody has to wait for hours. Nothing must last, and nothing must stay good. */
const atOnce = { for_seconds: 0, clear_seconds: 0, hysteresis: 0 };
const thresholds = {
  blocked_sessions: { ...atOnce, levels: { WARNING: 2 } },
  idle_in_transaction: { ...atOnce, levels: { WARNING: 2 } },
  connections: { ...atOnce, levels: { WARNING: 0.5 } },
  slow_queries: { ...atOnce, levels: { WARNING: 1 } },
  deadlocks: { ...atOnce, levels: { WARNING: 1 } },
  slot_behind: { ...atOnce, levels: { WARNING: 1_000_000 } },
  sequence: { ...atOnce, levels: { WARNING: 0.75 } },
  invalid_indexes: { ...atOnce, levels: { WARNING: 1 } },
};
/** Below the age of any database. */
const wraparoundLow = { wraparound: { ...atOnce, levels: { WARNING: 1e-9 } } };

/** Samples are taken every 30 s; sequences and indexes are read every five minutes. */
const LONGEST_WAIT_MS = 420_000;
const EVERY_MS = 2_000;

/**
 * Makes each kind of trouble in the sample database, one after the other: waits until its alert is open, ends it, waits until the
 * alert is resolved, and tells how long both took.
 */
export async function makeTrouble({ postgres, apiUrl, token, note, signal }: TroubleOptions): Promise<void> {
  const { host, port, user, password } = postgres;
  const opened: pg.Client[] = [];
  const open = async (): Promise<pg.Client> => {
    const client = new pg.Client({ host, port, user, password, database: sampleDatabase, application_name: 'trouble' });
    client.on('error', () => undefined);
    await client.connect();
    opened.push(client);
    return client;
  };
  const call = async (path: string, body?: unknown) => {
    const response = await fetch(`${apiUrl}${basePath}${path}`, {
      method: body === undefined ? 'GET' : 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
    });
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return (await response.json()) as { items?: { cause: string }[] };
  };
  const setThresholds = (checks: object) => call('/alerts/thresholds', { checks });
  const isOpen = async (check: string): Promise<boolean> => {
    const answers = await Promise.all(['open', 'acknowledged'].map((status) => call(`/alerts?status=${status}`)));
    return answers.some(({ items = [] }) => items.some(({ cause }) => cause === `check:${check}`));
  };
  /** Seconds until the alert is open, or no longer; null when that has not come about in time. */
  const until = async (check: string, wanted: boolean): Promise<number | null> => {
    const began = Date.now();
    while (Date.now() - began < LONGEST_WAIT_MS) {
      if ((await isOpen(check)) === wanted) return (Date.now() - began) / 1000;
      await sleep(EVERY_MS, undefined, { signal });
    }
    return null;
  };
  const inWords = (seconds: number | null): string => (seconds === null ? 'not in time' : `${seconds.toFixed(0)} s`);

  try {
    await setThresholds(thresholds);
    for (const { check, says, make } of troubles(open, setThresholds)) {
      note(`Trouble: ${says}`);
      const end = await make();
      const found = await until(check, true);
      note(`  found: ${inWords(found)}`);
      await end();
      note(`  over, and resolved: ${inWords(await until(check, false))}`);
    }
    note('That was all the trouble. The mailbox has what was mailed.');
    await call('/alerts/thresholds', {});
  } catch (error) {
    if (!signal.aborted) note(`Trouble ended early: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    for (const client of opened) await client.end().catch(() => undefined);
  }
}

function troubles(open: () => Promise<pg.Client>, setThresholds: (checks: object) => Promise<unknown>): Trouble[] {
  const failed = () => undefined;
  const ended = async (client: pg.Client): Promise<void> => client.end();
  return [
    {
      check: 'idle_in_transaction',
      says: 'a session that forgets its transaction',
      make: async () => {
        const idle = await open();
        await idle.query('BEGIN');
        return () => ended(idle);
      },
    },
    {
      check: 'blocked_sessions',
      says: 'a session that waits for a lock',
      make: async () => {
        const [holder, waiter] = [await open(), await open()];
        await holder.query('BEGIN; UPDATE shop.products SET stock = stock WHERE id = 1');
        const waiting = waiter.query('UPDATE shop.products SET stock = stock WHERE id = 1').catch(failed);
        return async () => {
          await holder.query('ROLLBACK');
          await waiting;
          await Promise.all([ended(holder), ended(waiter)]);
        };
      },
    },
    {
      check: 'connections',
      says: 'a flood of connections',
      make: async () => {
        const flood: pg.Client[] = [];
        for (let count = 0; count < 55; count++) flood.push(await open());
        return () => Promise.all(flood.map(ended));
      },
    },
    {
      check: 'slow_queries',
      says: 'a slow query',
      make: async () => {
        const slow = await open();
        const { rows } = await slow.query('SELECT pg_catalog.pg_backend_pid() AS pid');
        slow.query('SELECT pg_catalog.pg_sleep(600)').catch(failed);
        return async () => {
          const other = await open();
          await other.query('SELECT pg_catalog.pg_terminate_backend($1)', [rows[0].pid]);
          await ended(other);
        };
      },
    },
    {
      check: 'deadlocks',
      says: 'a deadlock',
      make: async () => {
        const [one, two] = [await open(), await open()];
        const lock = (client: pg.Client, id: number) =>
          client.query('UPDATE shop.products SET stock = stock WHERE id = $1', [id]).catch(failed);
        for (const client of [one, two]) await client.query('BEGIN');
        await lock(one, 1);
        await lock(two, 2);
        await Promise.all([lock(one, 2), lock(two, 1)]);
        await Promise.all([ended(one), ended(two)]);
        return async () => undefined;
      },
    },
    {
      check: 'slot_behind',
      says: 'a replication slot that nobody reads',
      make: async () => {
        const client = await open();
        await client.query("SELECT pg_catalog.pg_create_logical_replication_slot('trouble', 'test_decoding')");
        await client.query('CREATE TABLE shop.trouble AS SELECT i FROM generate_series(1, 100000) AS i');
        return async () => {
          await client.query("SELECT pg_catalog.pg_drop_replication_slot('trouble')");
          await client.query('DROP TABLE shop.trouble');
          await ended(client);
        };
      },
    },
    {
      check: 'wraparound',
      says: 'transaction ids past their threshold (which is lowered for it)',
      make: async () => {
        await setThresholds({ ...thresholds, ...wraparoundLow });
        return () => setThresholds(thresholds);
      },
    },
    {
      check: 'sequence',
      says: 'a sequence near its end (read every five minutes)',
      make: async () => {
        const client = await open();
        await client.query("CREATE SEQUENCE shop.trouble AS smallint; SELECT pg_catalog.setval('shop.trouble', 32000)");
        return async () => {
          await client.query('DROP SEQUENCE shop.trouble');
          await ended(client);
        };
      },
    },
    {
      check: 'invalid_indexes',
      says: 'an index whose building failed (read every five minutes)',
      make: async () => {
        const client = await open();
        await client.query('CREATE TABLE shop.trouble AS SELECT 1 AS n FROM generate_series(1, 2)');
        await client.query('CREATE UNIQUE INDEX CONCURRENTLY trouble_n ON shop.trouble (n)').catch(failed);
        return async () => {
          await client.query('DROP TABLE shop.trouble');
          await ended(client);
        };
      },
    },
  ];
}
