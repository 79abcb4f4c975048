import { Cron } from 'croner';

const units: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/**
 * The next time a schedule runs after `from`; null when it never does again. Times in milliseconds since the epoch.
 *
 * @param expression `rate(5 minutes)`, `cron(0 2 ? * SUN *)` or `at(2030-01-01T00:00:00)`, as EventBridge writes them.
 * @param startedAt from when a rate counts.
 * @throws Error naming an expression that is none.
 */
export function nextRun(expression: string, timeZone: string, from: number, startedAt: number): number | null {
  const [, kind, body = ''] = /^(rate|cron|at)\((.+)\)$/.exec(expression.trim()) ?? [];
  if (kind === 'rate') return nextOfRate(body, from, startedAt);
  if (kind === 'at') return nextOfAt(body, timeZone, from);
  if (kind === 'cron') return nextOfCron(body, timeZone, from);
  throw new Error(`"${expression}" is no schedule expression`);
}

function nextOfRate(body: string, from: number, startedAt: number): number {
  const [, count, unit = ''] = /^(\d+) (minute|hour|day)s?$/.exec(body.trim()) ?? [];
  const period = Number(count) * (units[unit] ?? 0);
  if (!(period > 0)) throw new Error(`"rate(${body})" is no rate`);
  return startedAt + (Math.floor(Math.max(0, from - startedAt) / period) + 1) * period;
}

function nextOfAt(body: string, timeZone: string, from: number): number | null {
  const [, year, month, day, hour, minute, second] = (
    /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)$/.exec(body.trim()) ?? []
  ).map(Number);
  if (year === undefined) throw new Error(`"at(${body})" is no time`);
  // A cron expression of that one minute knows the time zone's rules.
  const minuteStart = nextOfCron(`${minute} ${hour} ${day} ${month} ? ${year}`, timeZone, from - 60_000);
  const at = minuteStart === null ? null : minuteStart + (second ?? 0) * 1000;
  return at !== null && at > from ? at : null;
}

function nextOfCron(body: string, timeZone: string, from: number): number | null {
  if (body.trim().split(/\s+/).length !== 6) throw new Error(`"cron(${body})" needs six fields`);
  // EventBridge's six fields are Quartz' without the seconds: days of the week count from Sunday, which is 1.
  const cron = new Cron(`0 ${body.trim()}`, { timezone: timeZone, alternativeWeekdays: true, paused: true });
  let next = cron.nextRun(new Date(from));
  // A time that clocks have jumped over is left out by EventBridge; croner makes up for it at the end of the gap.
  while (next && !cron.match(next)) next = cron.nextRun(next);
  return next?.getTime() ?? null;
}
