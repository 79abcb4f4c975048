import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { expect } from 'vitest';
import type { CheckName } from '../../../shared/health/checks.ts';
import type { EffectiveCheck } from '../../../shared/health/effective-check.ts';
import type { Watcher } from '../../../shared/health/watch-database.ts';
import { anyServer } from '../../support/servers.ts';
import type { Watched } from './watched.ts';

export interface Condition {
  check: CheckName;
  levels: EffectiveCheck['levels'];
  /** It is seen in one sample alone: in what has happened since the one before. */
  passing?: boolean;
  /** What the alert says besides. */
  detail?: string;
  /** Makes the condition; gives what ends it. */
  make: () => Promise<() => Promise<unknown>>;
}

export interface Watching {
  watched: Watched;
  /** Watches while the condition is made. */
  first: Watcher;
  /** Watches once it is gone: another, where the condition lies in how is watched. */
  last?: Watcher;
}

/**
 * The course of every condition: nothing before; then one alert and one mail, however often is looked; when it is gone, the alert
 * is resolved and one mail says so.
 */
export async function courseOf(
  { watched, first, last = first }: Watching,
  { check, levels, passing = false, detail, make }: Condition,
): Promise<void> {
  // What has happened before it is none of its.
  if (passing) await first.sample();
  await watched.only({ [check]: { levels } });
  const before = watched.emails().length;
  if (first === last) expect((await watched.watch(first)).changes).toEqual([]);
  const end = await make();
  await statisticsWritten();
  expect((await watched.watch(first)).changes).toMatchObject([
    { kind: 'open', check, level: Object.keys(levels).at(-1) },
  ]);
  if (!passing) expect((await watched.watch(first)).changes).toEqual([]);
  const [opened] = await watched.alerts();
  expect(opened).toMatchObject({
    cause: `check:${check}`,
    status: 'open',
    resolved_at: null,
    ...(detail === undefined ? {} : { detail }),
    mail: { status: 'sent' },
  });
  expect(watched.emails()).toHaveLength(before + 1);

  await end();
  await statisticsWritten();
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

/** Until 14 a process of its own collects what sessions count, and writes it down twice a second when somebody asks. */
async function statisticsWritten(): Promise<void> {
  if (anyServer().version < 15) await setTimeout(1200);
}

/** Waits until no other session works: those that tests before have left go on for a while, and would be slow, waiting or idle. */
export async function untilQuiet(client: pg.Client): Promise<void> {
  const busy = `SELECT FROM pg_stat_activity
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'`;
  while ((await client.query(busy)).rowCount) await setTimeout(50);
}

/** Of the server's process; the driver knows it and its types do not tell. */
export function pidOf(session: pg.Client): number {
  return (session as unknown as { processID: number }).processID;
}

/** Waits until a session is in a condition of pg_stat_activity. */
export async function untilIn(client: pg.Client, condition: string, pid: number): Promise<void> {
  for (;;) {
    const { rowCount } = await client.query(`SELECT FROM pg_stat_activity WHERE pid = $1 AND ${condition}`, [pid]);
    if (rowCount) return;
  }
}

/** Ends sessions and waits until the server has put them away: only then it has all that they have counted. */
export async function endSessions(client: pg.Client, sessions: readonly pg.Client[]): Promise<void> {
  const pids = sessions.map(pidOf);
  await Promise.all(sessions.map((session) => session.end()));
  while ((await client.query('SELECT FROM pg_stat_activity WHERE pid = ANY ($1)', [pids])).rowCount) {
    await setTimeout(5);
  }
}
