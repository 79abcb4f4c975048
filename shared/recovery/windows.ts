import { decodeTime } from 'ulid';
import type { ObjectStore } from '../backup/objects/object-store.ts';
import { compareLsn } from '../changes/lsn.ts';
import { listSlots } from '../changes/segments/stored-segments.ts';
import type { Covered, LatestMoment } from '../changes/window/coverage.ts';
import { latestMoment } from '../changes/window/coverage.ts';
import type { BaseSnapshot } from '../changes/window/plan-replay.ts';
import { toMicroseconds } from '../changes/window/recovery-target.ts';
import { type Reach, reachOf } from '../changes/window/recovery-window.ts';
import { listEndedWindows } from '../state/ended-windows.ts';
import { MOST_OBSTACLES, type Obstacle, type Recovery } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { type Base, listBases, readSnapshot } from './bases.ts';
import { isAhead, latestBefore } from './obstacles.ts';

/** Between two moments every one can be restored. */
export interface Window {
  slot: string;
  /** The full backup that it begins with. */
  base: string;
  /** Time in ISO 8601, UTC, with microseconds. */
  earliest: string;
  latest: LatestMoment;
  /** The change of definitions that ends it; null: what is stored does. */
  endedBy: Obstacle | null;
  /** Whether all changes of definitions that may be in it are known. Without, only a check of a restore tells. */
  isExact: boolean;
}

export interface WindowSources {
  store: ObjectStore;
  table: StateTable;
  signal: AbortSignal;
}

/** Slots that are looked at; changes of earlier ones can be restored as well, but are not listed. */
export const MOST_SLOTS = 10;

/** A minute for clocks of two functions that differ. */
const CLOCKS_MS = 60_000;

/** What is known of a slot whose changes are stored. */
interface KnownSlot {
  slot: string;
  covered: Covered | null;
  /** null: not noted. */
  obstacles: readonly Obstacle[] | null;
  /** No backup that was created later belongs to it, by a function's clock; null: it is in use. */
  until: number | null;
}

/**
 * Lists between which moments every one can be restored, oldest first, of every slot whose changes are stored: judged as a restore judges it,
 * by the snapshots of backups and the positions of changes.
 *
 * @param recovery - null while it is off
 */
export async function listWindows(
  database: string,
  recovery: Recovery | null,
  { store, table, signal }: WindowSources,
): Promise<Window[]> {
  const ended = await listEndedWindows(table, database);
  const stored = await listSlots(store, database);
  const bases = await listBases(table, database);
  const known = stored.slice(-MOST_SLOTS).map((slot, index, slots): KnownSlot => {
    const window = ended.find((each) => each.slot === slot);
    const next = slots[index + 1];
    const until = window ? Date.parse(window.at) : next === undefined ? null : slotMadeAt(next);
    if (recovery?.slot === slot) return { slot, covered: recovery.covered, obstacles: recovery.obstacles, until };
    return { slot, covered: window?.covered ?? null, obstacles: window?.obstacles ?? null, until };
  });
  const found = await Promise.all(known.map((of) => windowsOf(of, database, bases, { store, signal })));
  return found.flat();
}

/**
 * Backups that may have been taken since a slot was made, oldest first: those that ended later, by the clock of the functions, which wrote both
 * times down. Whether the changes follow one is judged by what it has seen.
 *
 * @param since - when the slot was made, by a function's clock
 */
export function basesSince(since: number, bases: readonly Base[]): Base[] {
  return bases.filter(({ ended_at: at }) => at === null || Date.parse(at) >= since - CLOCKS_MS);
}

/** When a slot was made, by the clock of the function that made it: its name ends with a ULID. */
export function slotMadeAt(slot: string): number {
  try {
    return decodeTime(slot.slice(-26).toUpperCase());
  } catch {
    return 0;
  }
}

interface Followed {
  base: Base;
  snapshot: BaseSnapshot;
  reach: Reach;
}

async function windowsOf(
  { slot, covered, obstacles: noted, until }: KnownSlot,
  database: string,
  all: readonly Base[],
  { store, signal }: Pick<WindowSources, 'store' | 'signal'>,
): Promise<Window[]> {
  const bases = basesSince(slotMadeAt(slot), all).filter(
    ({ created_at: at }) => until === null || Date.parse(at) <= until,
  );
  // A rehearsal may find one that is before those that were noted already.
  const obstacles = noted?.toSorted((a, b) => compareLsn(a.lsn, b.lsn)) ?? null;
  const follow = async (base: Base): Promise<Followed | null> => {
    const snapshot = await readSnapshot(store, base, signal);
    const reach = await reachOf(store, { database, slot }, snapshot, covered, signal);
    return reach && { base, snapshot, reach };
  };
  const found: Window[] = [];
  // Those that are kept of many are the latest: what was before the first of them is not known.
  const [firstKept] = obstacles !== null && obstacles.length >= MOST_OBSTACLES ? obstacles : [];
  let passed: Obstacle | null = null;
  for (const base of bases) {
    const last: Window | undefined = found.at(-1);
    if (last && last.endedBy === null) break;
    const followed: Followed | null = await follow(base);
    if (!followed || (passed !== null && isAhead(passed, followed.reach))) continue;
    const { snapshot, reach } = followed;
    const latest = latestMoment(snapshot, reach.stored);
    const earliest = toMicroseconds(snapshot.taken_at);
    const endedBy = (obstacles ?? []).find((obstacle) => isAhead(obstacle, reach)) ?? null;
    const before = endedBy === null ? latest : latestBefore(endedBy, latest);
    // Only since when a change is known to be there may be before the backup: its own moment can be restored all the same.
    const clamped = before.time < earliest ? { time: earliest, lsn: null } : before;
    const isExact = obstacles !== null && (firstKept === undefined || !isAhead(firstKept, reach));
    found.push({ slot, base: base.id, earliest, latest: clamped, endedBy, isExact });
    passed = endedBy;
  }
  return withNewest(found, slot, bases.at(-1), follow);
}

/** Adds the own moment of a backup that is newer than what is stored. */
async function withNewest(
  found: Window[],
  slot: string,
  newest: Base | undefined,
  follow: (base: Base) => Promise<Followed | null>,
): Promise<Window[]> {
  const last = found.at(-1);
  if (!last || !newest || newest.id === last.base || Date.parse(newest.snapshot_at) < Date.parse(last.latest.time))
    return found;
  const followed = await follow(newest);
  if (!followed) return found;
  const own = toMicroseconds(followed.snapshot.taken_at);
  if (own <= last.latest.time) return found;
  const { isExact } = last;
  return [
    ...found,
    { slot, base: newest.id, earliest: own, latest: { time: own, lsn: null }, endedBy: last.endedBy, isExact },
  ];
}
