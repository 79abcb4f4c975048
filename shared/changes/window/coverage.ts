import { compareLsn, type Lsn } from '../lsn.ts';
import type { SegmentDescription } from '../segments/description.ts';
import { type RecoveryTarget, toMicroseconds } from './recovery-target.ts';

/**
 * A transaction gets its time just before it is written to the log, and with `synchronous_commit = off` is on disk up to three times
 * `wal_writer_delay` later, 0.6 s by default. By a second later it is there to be decoded.
 */
const SETTLED_MS = 1000;

/**
 * Until when all that was committed is stored, by the last segment: the server's time before the end of the log was looked up, less
 * a second, in which a transaction that has its time already may not have reached the log.
 */
export function coveredUntil({ captured_at }: Pick<SegmentDescription, 'captured_at'>, settledMs = SETTLED_MS): string {
  return settledMs === 0 ? captured_at : toMicroseconds(new Date(Date.parse(captured_at) - settledMs).toISOString());
}

/** What a run has found that stored everything there was: until `time` nothing was committed but what is stored up to `lsn`. */
export interface Covered {
  time: string;
  lsn: Lsn;
}

/** What is stored after a base without a gap. */
export interface Stored {
  /** Until when all that was committed is stored; null: nothing is known of the time after the base. */
  time: string | null;
  /** Until where, when there is a segment. */
  lsn: Lsn | null;
}

/**
 * How far the changes after a base are stored: by the last segment, or by a run that came later and found nothing more to store.
 *
 * @param from - what committed before it is in the base
 * @param last - the last segment that follows without a gap
 */
export function storedAfter(
  from: Lsn,
  last: SegmentDescription | undefined,
  covered: Covered | null,
  settledMs?: number,
): Stored {
  const lsn = last?.last_lsn ?? null;
  const times = last ? [coveredUntil(last, settledMs)] : [];
  // Beyond a gap, what a run has found says nothing.
  if (covered && compareLsn(lsn ?? from, covered.lsn) >= 0) times.push(covered.time);
  return { time: times.sort().at(-1) ?? null, lsn };
}

/** The last moment that a base can be brought to. */
export interface LatestMoment {
  time: string;
  /** null: no position in the log can be asked for, but the time. */
  lsn: Lsn | null;
}

/**
 * The last moment that a base reaches by what is stored; the moment of the base itself where nothing is known of the time after it. It
 * is what a recovery window shows, and what {@link isReached} holds every request against.
 */
export function latestMoment({ taken_at }: { taken_at: string }, { time, lsn }: Stored): LatestMoment {
  const base = toMicroseconds(taken_at);
  return time !== null && time >= base ? { time, lsn } : { time: base, lsn: null };
}

/** Whether a moment that is not before the base is reached, although no later commit is known. */
export function isReached(base: { taken_at: string }, stored: Stored, target: RecoveryTarget): boolean {
  const latest = latestMoment(base, stored);
  if ('time' in target) return toMicroseconds(target.time) <= latest.time;
  return 'lsn' in target && latest.lsn !== null && compareLsn(target.lsn, latest.lsn) <= 0;
}
