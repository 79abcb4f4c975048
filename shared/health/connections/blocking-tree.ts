import type pg from 'pg';
import type { LockedSession } from '../../contract/schemas/health.ts';
import { blockingSql } from './sessions.sql.ts';
import { shownQuery } from './sessions.ts';

type Waiting = Omit<LockedSession, 'depth' | 'blocks'>;

/** Who waits for whom: one look at the server's locks. */
export async function readBlocking(client: pg.Client): Promise<{ waiting: number; sessions: LockedSession[] }> {
  const { rows } = await client.query(blockingSql);
  const sessions = rows.map(({ waiting: _, query, ...row }): Waiting => ({ ...row, query: shownQuery(query) }));
  return { waiting: rows[0]?.waiting ?? 0, sessions: inTree(sessions) };
}

/**
 * Orders sessions as a tree: those that hold up most come first, each before those that wait for it. A session that waits for
 * several stands behind the first of them. A circle, which the server will end as a deadlock, is entered at any of its sessions.
 */
export function inTree(sessions: readonly Waiting[]): LockedSession[] {
  const behind = new Map<number, Waiting[]>();
  for (const session of sessions) {
    for (const pid of session.blocked_by) behind.set(pid, [...(behind.get(pid) ?? []), session]);
  }
  const heldUpBy = (pid: number, seen: Set<number>): Set<number> => {
    for (const { pid: waiter } of behind.get(pid) ?? []) {
      if (seen.has(waiter)) continue;
      seen.add(waiter);
      heldUpBy(waiter, seen);
    }
    return seen;
  };
  const blocks = new Map(sessions.map(({ pid }) => [pid, heldUpBy(pid, new Set()).size]));
  const most = (a: Waiting, b: Waiting): number =>
    (blocks.get(b.pid) ?? 0) - (blocks.get(a.pid) ?? 0) || b.seconds - a.seconds || a.pid - b.pid;

  const ordered: LockedSession[] = [];
  const placed = new Set<number>();
  const place = (session: Waiting, depth: number): void => {
    if (placed.has(session.pid)) return;
    placed.add(session.pid);
    ordered.push({ ...session, depth, blocks: blocks.get(session.pid) ?? 0 });
    for (const waiter of [...(behind.get(session.pid) ?? [])].sort(most)) place(waiter, depth + 1);
  };
  const known = new Set(sessions.map(({ pid }) => pid));
  const roots = sessions.filter(({ blocked_by }) => !blocked_by.some((pid) => known.has(pid)));
  for (const root of [...roots].sort(most)) place(root, 0);
  for (const rest of [...sessions].sort(most)) place(rest, 0);
  return ordered;
}
