import type { RecordedRun } from '../state/schedule-runs.ts';
import type { AppliedPlan } from '../state/schedules.ts';
import { DAY_MS } from '../time.ts';
import { pastRuns, wallClock } from './times.ts';

/** A run that has not come by then is called missed. EventBridge Scheduler goes on trying for hours: one may come later still. */
export const MISSED_AFTER_MS = 15 * 60_000;
/** EventBridge Scheduler takes up to a minute until a change is in effect. */
const SETTLING_MS = 60_000;
/** Below what runs are kept for. */
const LOOK_BACK_MS = 90 * DAY_MS;
/** More than there are minutes between two looks, and in the time that a run may take to come. */
export const RUNS_LOOKED_AT = 60;

/**
 * The latest times at which a schedule was due and nothing came of it, newest first.
 *
 * @param runs - the latest {@link RUNS_LOOKED_AT} recorded runs of the schedule
 * @param now - by EventBridge Scheduler's clock: that of this machine may be ahead of it
 */
export function missedRuns(
  applied: AppliedPlan | undefined,
  runs: readonly Pick<RecordedRun, 'due_at'>[],
  now: Date,
): string[] {
  if (!applied?.enabled) return [];
  // An hour that clocks show twice has one run in it, and which of the two times it names is EventBridge Scheduler's choice.
  const come = new Set(runs.map(({ due_at }) => wallClock(new Date(due_at), applied.time_zone)));
  const after = Math.max(Date.parse(applied.since) + SETTLING_MS, now.getTime() - LOOK_BACK_MS);
  return pastRuns(applied, new Date(now.getTime() - MISSED_AFTER_MS), RUNS_LOOKED_AT / 2)
    .filter((due) => due.getTime() > after && !come.has(wallClock(due, applied.time_zone)))
    .map((due) => due.toISOString());
}
