import type pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { readBlocking } from '../../shared/health/connections/blocking-tree.ts';
import {
  closeIdle,
  connectionStats,
  listSessions,
  terminateSession,
} from '../../shared/health/connections/sessions.ts';
import { plainSession } from '../support/plain-session.ts';
import { createScratchDatabase, forEachServer, type ScratchDatabase } from '../support/servers.ts';

forEachServer((server) => {
  let database: ScratchDatabase;
  /** This system's own session, as its API function opens one. */
  let own: pg.Client;
  let others: pg.Client[] = [];
  beforeAll(async () => {
    database = await createScratchDatabase(server);
    own = await plainSession(database.target({ applicationName: 'dbms look' }));
    await own.query('CREATE TABLE accounts (id int PRIMARY KEY, n int); INSERT INTO accounts VALUES (1, 0)');
  });
  afterAll(async () => {
    await own?.end();
    await database?.drop();
  });
  afterEach(async () => {
    for (const other of others) await other.end().catch(() => undefined);
    others = [];
  });

  const open = async (application: string): Promise<{ session: pg.Client; pid: number }> => {
    const session = await plainSession(database.target({ applicationName: application }));
    others.push(session);
    const { rows } = await session.query('SELECT pg_backend_pid() AS pid');
    return { session, pid: rows[0].pid };
  };
  const isThere = async (pid: number): Promise<boolean> =>
    (await own.query('SELECT FROM pg_stat_activity WHERE pid = $1', [pid])).rowCount === 1;
  const until = async (condition: string, pid: number): Promise<void> => {
    while (!(await own.query(`SELECT FROM pg_stat_activity WHERE pid = $1 AND ${condition}`, [pid])).rowCount);
  };
  const untilGone = async (pid: number): Promise<void> => {
    while (await isThere(pid));
  };
  const idle = { older_than_seconds: 0, idle_in_transaction: false };

  test('numbers of the sessions', async () => {
    await open('counted');
    const stats = await connectionStats(own);
    expect(stats).toMatchObject({ max_connections: 100, usage: stats.connections / 100 });
    expect(stats.by_application).toContainEqual({ name: 'counted', sessions: 1 });
  });

  test('a list of sessions, page by page and filtered, without what statements hold of data', async () => {
    const opened = [await open('listed'), await open('listed'), await open('listed')];
    await opened[1]?.session.query("SELECT 'a secret', 4711 AS n -- of Alice\n");
    const pids: number[] = [];
    const queries: (string | null)[] = [];
    for (let cursor: string | undefined, more = true; more; ) {
      const page = await listSessions(own, { application: 'listed', limit: 2, cursor });
      expect(page.items.length).toBeLessThanOrEqual(2);
      pids.push(...page.items.map(({ pid }) => pid));
      queries.push(...page.items.map(({ query }) => query));
      cursor = page.next_cursor ?? undefined;
      more = cursor !== undefined;
    }
    expect(pids).toEqual(opened.map(({ pid }) => pid));
    expect(queries[1]).toBe('SELECT ?, ? AS n');
    expect((await listSessions(own, { user: 'nobody', limit: 9 })).items).toEqual([]);
    const { items } = await listSessions(own, { application: 'dbms look', limit: 9 });
    expect(items).toMatchObject([{ own: true, state: 'active', database: database.name }]);
    await expect(listSessions(own, { limit: 1, cursor: 'WzEsMl0' })).rejects.toMatchObject({ code: 'invalid_cursor' });
  });

  test('closing idle sessions ends just those that are meant', async () => {
    const [meant, busy, waiting, system, elsewhere] = [
      await open('app'),
      await open('app'),
      await open('app'),
      await open('dbms backup'),
      await open('other'),
    ];
    const sleeping = busy.session.query('SELECT pg_sleep(300)').catch(() => undefined);
    await waiting.session.query('BEGIN');
    await until("state = 'active'", busy.pid);
    await until("state = 'idle in transaction'", waiting.pid);
    await until("state = 'idle'", meant.pid);
    expect(await closeIdle(own, { ...idle, older_than_seconds: 3600 })).toMatchObject({ closed: [] });

    const { closed, not_permitted, more } = await closeIdle(own, { ...idle, application: 'app' });
    expect([closed, not_permitted, more]).toMatchObject([[{ pid: meant.pid, application: 'app' }], 0, false]);
    await untilGone(meant.pid);
    const also = await closeIdle(own, { ...idle, application: 'app', idle_in_transaction: true });
    expect(also.closed.map(({ pid }) => pid)).toEqual([waiting.pid]);
    expect((await closeIdle(own, { ...idle, application: 'dbms backup' })).closed).toEqual([]);
    expect((await closeIdle(own, { ...idle, user: 'nobody' })).closed).toEqual([]);
    for (const { pid } of [busy, system, elsewhere]) expect(await isThere(pid)).toBe(true);
    await own.query('SELECT pg_cancel_backend($1)', [busy.pid]);
    await sleeping;
  });

  test('a login without the right ends no session of a superuser, and says so', async () => {
    const { pid } = await open('guarded');
    await until("state = 'idle'", pid);
    await own.query('CREATE ROLE looks LOGIN; GRANT pg_signal_backend, pg_read_all_stats TO looks; SET ROLE looks');
    const answer = await closeIdle(own, { ...idle, application: 'guarded' });
    const refused = await terminateSession(own, pid).catch((error: unknown) => error);
    await own.query('RESET ROLE; DROP ROLE looks');
    expect(answer).toEqual({ closed: [], not_permitted: 1, more: false });
    expect(refused).toMatchObject({ code: 'termination_not_permitted' });
    expect(await isThere(pid)).toBe(true);
  });

  test('one session is ended, but none of this system, of another database or of nobody', async () => {
    const [meant, system] = [await open('app'), await open('dbms restore')];
    expect((await terminateSession(own, meant.pid)).closed).toMatchObject([{ pid: meant.pid, application: 'app' }]);
    await untilGone(meant.pid);
    await expect(terminateSession(own, system.pid)).rejects.toMatchObject({ code: 'session_protected' });
    await expect(terminateSession(own, meant.pid)).rejects.toMatchObject({ code: 'unknown_session' });
    const { rows } = await own.query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
    await expect(terminateSession(own, rows[0].pid)).rejects.toMatchObject({ code: 'session_protected' });
  });

  test('the blocking tree shows who holds up whom', async () => {
    const [root, second, third] = [await open('root'), await open('second'), await open('third')];
    await root.session.query('BEGIN; UPDATE accounts SET n = 1 WHERE id = 1');
    const behind = [
      second.session.query("UPDATE accounts SET n = 2 WHERE id = 1 AND 'x' = 'x'"),
      until("wait_event_type = 'Lock'", second.pid).then(() =>
        third.session.query('BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE; COMMIT'),
      ),
    ];
    await until("wait_event_type = 'Lock'", third.pid);
    const { waiting, sessions } = await readBlocking(own);
    await root.session.query('ROLLBACK');
    await Promise.all(behind);
    expect(waiting).toBe(2);
    expect(sessions).toMatchObject([
      { pid: root.pid, depth: 0, blocked_by: [], blocks: 2, lock: null, application: 'root' },
      { pid: second.pid, depth: 1, blocked_by: [root.pid], query: 'UPDATE accounts SET n = ? WHERE id = ? AND ? = ?' },
      { pid: third.pid, blocked_by: expect.arrayContaining([root.pid]), lock: 'AccessExclusiveLock on accounts' },
    ]);
    expect(await readBlocking(own)).toEqual({ waiting: 0, sessions: [] });
  });
});
