/** One field of a Unix cron expression: what it counts, and the names that stand for numbers. */
interface Field {
  readonly label: string;
  readonly first: number;
  readonly last: number;
  /** The name at index 0 stands for `first`. */
  readonly names: readonly string[];
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
/** In a leap year: 29 February does come. */
const DAYS_IN_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const minuteField: Field = { label: 'minute', first: 0, last: 59, names: [] };
const hourField: Field = { label: 'hour', first: 0, last: 23, names: [] };
const dayField: Field = { label: 'day of month', first: 1, last: 31, names: [] };
const monthField: Field = { label: 'month', first: 1, last: 12, names: MONTHS };
/** Both 0 and 7 are Sunday. */
const weekdayField: Field = { label: 'day of week', first: 0, last: 7, names: DAYS };

/**
 * Translates a Unix cron expression (crontab(5): minute, hour, day of month, month, day of week) into EventBridge's form.
 * Steps and names are written out, so that nothing depends on how either side reads them; Unix counts weekdays from
 * Sunday = 0, EventBridge from Sunday = 1, therefore weekdays become names.
 *
 * @returns such as `cron(0 2 ? * SUN *)`
 * @throws Error in words when it is no such expression, or one that EventBridge cannot express
 * @example
 * toEventBridgeCron('0 2 * * 0'); // cron(0 2 ? * SUN *)
 */
export function toEventBridgeCron(expression: string): string {
  const fields = expression.trim().split(/\s+/);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  if (fields.length !== 5) {
    throw new Error(
      `"${expression}" has ${fields.length} fields; Unix cron has five: minute, hour, day of month, month, day of week`,
    );
  }
  const minutes = valuesOf(minute, minuteField);
  const hours = valuesOf(hour, hourField);
  const days = valuesOf(day, dayField);
  const months = valuesOf(month, monthField);
  const weekdays = new Set([...valuesOf(weekday, weekdayField)].map((value) => value % 7));

  if (day !== '*' && weekday !== '*') {
    throw new Error(
      `"${expression}" restricts both the day of month and the day of week: Unix cron runs when either fits, which EventBridge cannot express; leave one of them *`,
    );
  }
  if (![...months].some((each) => Math.min(...days) <= (DAYS_IN_MONTH[each - 1] ?? 0))) {
    throw new Error(`"${expression}" never runs: no such day comes in those months`);
  }
  return `cron(${[
    list(minutes, minuteField),
    list(hours, hourField),
    weekday === '*' ? list(days, dayField) : '?',
    list(months, monthField),
    weekday === '*'
      ? '?'
      : [...weekdays]
          .sort((a, b) => a - b)
          .map((each) => DAYS[each])
          .join(','),
    '*',
  ].join(' ')})`;
}

/** All values of a field: a list of `*`, values, ranges, each with an optional step. */
function valuesOf(text: string, field: Field): Set<number> {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const [, range = '', from = '', to, stepText] = /^((\*|\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part) ?? [];
    if (range === '' || (from === '*' && to !== undefined)) {
      throw new Error(`"${part}" is not understood as ${field.label}; use numbers, names, ranges, lists and steps`);
    }
    const start = from === '*' ? field.first : numberOf(from, field);
    const open = from === '*' || stepText !== undefined;
    const end = to !== undefined ? numberOf(to, field) : open ? field.last : start;
    const step = Number(stepText ?? 1);
    if (end < start) throw new Error(`"${part}" as ${field.label} ends before it begins; write it as a list`);
    if (step < 1) throw new Error(`"${part}" as ${field.label} has a step of 0`);
    for (let value = start; value <= end; value += step) values.add(value);
  }
  return values;
}

function numberOf(text: string, { label, first, last, names }: Field): number {
  const named = names.indexOf(text.toUpperCase());
  const value = named >= 0 ? named + first : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= first && value <= last) return value;
  throw new Error(`"${text}" is no ${label}; it goes from ${first} to ${last}`);
}

/** The values in EventBridge's form, neighbours as ranges. */
function list(values: ReadonlySet<number>, { first, last }: Field): string {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === last - first + 1) return '*';
  const runs: [number, number][] = [];
  for (const value of sorted) {
    const run = runs.at(-1);
    if (run && value === run[1] + 1) run[1] = value;
    else runs.push([value, value]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}
