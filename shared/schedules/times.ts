import { Cron } from 'croner';
import { toEventBridgeCron } from '../configuration/cron.ts';
import type { Plan } from '../state/schedules.ts';

type Times = Pick<Plan, 'cron' | 'time_zone'>;

/**
 * The next times at which a schedule runs after `from`, as EventBridge Scheduler reckons them: a time that clocks set forward
 * have jumped over is left out, one that clocks set back show twice comes once.
 *
 * @throws Error in words when the expression is none
 */
export function nextRuns(times: Times, from: Date, count: number): Date[] {
  return collect(times, count, (cron, last) => cron.nextRun(last ?? from));
}

/** The latest times at which a schedule was due before `until`, newest first; otherwise as {@link nextRuns}. */
export function pastRuns(times: Times, until: Date, count: number): Date[] {
  return collect(times, count, (cron, last) => cron.previousRuns(1, last ?? until)[0] ?? null);
}

/** Times that are passed over on the way to those that count: clocks are set by some hours, on some days of the year. */
const MAX_SKIPPED = 500;

function collect(
  { cron: expression, time_zone }: Times,
  count: number,
  step: (cron: Cron, last: Date | null) => Date | null,
): Date[] {
  // EventBridge's six fields are Quartz' without the seconds.
  const fields = toEventBridgeCron(expression).slice('cron('.length, -1);
  const cron = new Cron(`0 ${fields}`, { timezone: time_zone, alternativeWeekdays: true, paused: true });
  const found = new Map<string, Date>();
  let last: Date | null = null;
  for (let steps = 0; found.size < count && steps < count + MAX_SKIPPED; steps++) {
    last = step(cron, last);
    if (last === null) break;
    // croner runs at the end of the gap what was due within it.
    if (!cron.match(last)) continue;
    const shown = wallClock(last, time_zone);
    if (!found.has(shown)) found.set(shown, last);
  }
  return [...found.values()];
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** What the clocks of a time zone show, to the minute. */
export function wallClock(time: Date, timeZone: string): string {
  const format =
    formats.get(timeZone) ??
    new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short', calendar: 'gregory' });
  formats.set(timeZone, format);
  return format.format(time);
}
