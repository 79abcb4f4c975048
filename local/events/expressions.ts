import { CronExpressionParser } from 'cron-parser';

const units: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/**
 * The next time a schedule runs after `from`; null when it never does again. Times in milliseconds since the epoch.
 *
 * @param expression `rate(5 minutes)`, `cron(0 2 ? * SUN *)` or `at(2030-01-01T00:00:00)`, as EventBridge writes them.
 * @param startedAt from when a rate counts.
 * @throws Error naming an expression that is none, or uses `W`, which is not known here.
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
  const fields = body.trim().split(/\s+/);
  const [minute, hour, dayOfMonth = '', month, dayOfWeek = '', year = '*'] = fields;
  if (fields.length !== 6) throw new Error(`"cron(${body})" needs six fields`);
  if (dayOfMonth.includes('W')) throw new Error(`"cron(${body})": W does not run locally`);
  const expression = [minute, hour, dayOfMonth.replace('?', '*'), month, weekday(dayOfWeek)].join(' ');
  const years = yearsOf(year);
  const last = years ? Math.max(...years) : Number.POSITIVE_INFINITY;
  const cron = CronExpressionParser.parse(expression, {
    tz: timeZone,
    currentDate: new Date(startOfYears(years, from)),
  });
  for (;;) {
    const next = cron.next();
    if (next.getFullYear() > last) return null;
    if (next.getTime() > from && (!years || years.has(next.getFullYear()))) return next.getTime();
  }
}

/** EventBridge counts Sunday as 1, Unix cron as 0; names are the same. `6L` and `2#1` number the day in the same way. */
function weekday(field: string): string {
  if (field === '?' || field === '*') return '*';
  return field
    .split(',')
    .map((part) =>
      part.replace(
        /^(\d)(?:-(\d))?/,
        (_all, first: string, second?: string) => `${Number(first) - 1}${second ? `-${Number(second) - 1}` : ''}`,
      ),
    )
    .join(',');
}

function yearsOf(field: string): Set<number> | null {
  if (field === '*' || field === '?') return null;
  const years = new Set<number>();
  for (const part of field.split(',')) {
    const [, first = '', last, step = '1'] = /^(\d{4})(?:-(\d{4}))?(?:\/(\d+))?$/.exec(part) ?? [];
    if (first === '') throw new Error(`"${field}" are no years`);
    for (let year = Number(first); year <= Number(last ?? (step === '1' ? first : 2199)); year += Number(step))
      years.add(year);
  }
  return years;
}

function startOfYears(years: Set<number> | null, from: number): number {
  return years ? Math.max(from, Date.UTC(Math.min(...years), 0, 1) - 86_400_000) : from;
}
