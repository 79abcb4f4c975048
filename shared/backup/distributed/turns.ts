import type { ExportState, Track } from '../../state/exports.ts';
import { closingTime, type InvocationTime } from './invocation-time.ts';

/** How much of its time a holder holds at most; in the rest it waits for the other one where that is late. */
const LONGEST_SHARE = 0.75;

/** Beats without a change after which a holder is taken for gone. */
const SILENT_BEATS = 5;

/** The longest that a holder means to hold, in seconds. */
export const longestHold = (time: Pick<InvocationTime, 'whole'>): number =>
  ((time.whole - closingTime(time)) / 1000) * LONGEST_SHARE;

/**
 * How many seconds a new holder is to hold, so that it leaves half a turn after or before the other one. A holder that comes late
 * falls in with the other's pace again.
 *
 * @param otherLeavesIn - seconds until the other one leaves; null when there is none
 * @param longest - see {@link longestHold}
 */
export function holdFor(otherLeavesIn: number | null, longest: number): number {
  if (otherLeavesIn === null) return longest;
  const half = longest / 2;
  const after = Math.max(0, otherLeavesIn) + half;
  if (after <= longest) return after;
  const before = otherLeavesIn - half;
  return before >= half / 2 ? before : longest;
}

export const otherTrack = (track: Track): Track => (track === 'a' ? 'b' : 'a');

/** Watches the other track's holder, by the beats that are seen and nobody's clock. */
export function watchOther(track: Track): (state: ExportState) => 'absent' | 'silent' | 'there' {
  let seen = '';
  let unchanged = 0;
  let looks = 0;
  return ({ holders }) => {
    const other = holders[otherTrack(track)];
    if (!other) return 'absent';
    const sight = `${other.generation}.${other.beat}`;
    unchanged = sight === seen ? unchanged + 1 : 0;
    seen = sight;
    looks += 1;
    // One sight says that it was there once; a second, different one that it still is.
    return unchanged >= SILENT_BEATS || looks < 2 ? 'silent' : 'there';
  };
}

/** Whether a holder whose turn is over may leave: the other one is there, has all locks, and does not want to leave first. */
export function mayLeave(state: ExportState, track: Track, sight: ReturnType<ReturnType<typeof watchOther>>): boolean {
  const [own, other] = [state.holders[track], state.holders[otherTrack(track)]];
  if (!own || !other || sight !== 'there') return false;
  const hasLocks = state.plan === null || other.locked;
  return hasLocks && (other.leaves_in > 0 || own.generation < other.generation);
}
