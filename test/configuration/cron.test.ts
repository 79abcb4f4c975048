import { Cron } from 'croner';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nextRun } from '../../local/events/expressions.ts';
import { toEventBridgeCron } from '../../shared/configuration/cron.ts';

const MONTHS = ['jan', 'FEB', 'Mar', 'apr', 'May', 'JUN', 'jul', 'Aug', 'SEP', 'oct', 'Nov', 'DEC'];
const DAYS = ['sun', 'MON', 'Tue', 'wed', 'THU', 'Fri', 'SAT'];

/** A field as crontab(5) lets it be written, with the values that it stands for. */
interface Field {
  text: string;
  values: number[];
}

/** Every `step`-th value between two, both included. */
function between(first: number, last: number, step = 1): number[] {
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, index) => first + index * step);
}

function every(first: number, last: number): fc.Arbitrary<Field> {
  return fc.constant({ text: '*', values: between(first, last) });
}

/** Lists of values, names, ranges and steps, which may overlap. */
function some(first: number, last: number, names: readonly string[] = []): fc.Arbitrary<Field> {
  const number = fc.integer({ min: first, max: last });
  const range = fc.tuple(number, number).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  const step = fc.integer({ min: 1, max: last });
  const part = fc.oneof(
    number.map((value) => ({ text: `${value}`, values: [value] })),
    ...names.map((text, index) => fc.constant({ text, values: [first + index] })),
    range.map(([from, to]) => ({ text: `${from}-${to}`, values: between(from, to) })),
    fc.tuple(range, step).map(([[from, to], n]) => ({ text: `${from}-${to}/${n}`, values: between(from, to, n) })),
    fc.tuple(number, step).map(([from, n]) => ({ text: `${from}/${n}`, values: between(from, last, n) })),
    step.map((n) => ({ text: `*/${n}`, values: between(first, last, n) })),
  );
  return fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => ({
    text: parts.map(({ text }) => text).join(','),
    values: parts.flatMap(({ values }) => values),
  }));
}

const days = fc.oneof(
  fc.tuple(every(1, 31), every(0, 7)),
  fc.tuple(some(1, 31), every(0, 7)),
  fc.tuple(every(1, 31), some(0, 7, DAYS)),
);
const DAYS_IN_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** A Unix expression in any writing, and the same written out in plain numbers. */
const unixCron = fc
  .tuple(
    fc.oneof(every(0, 59), some(0, 59)),
    fc.oneof(every(0, 23), some(0, 23)),
    days,
    fc.oneof(every(1, 12), some(1, 12, MONTHS)),
  )
  // Those that never run are refused, and tested below.
  .filter(([, , [{ values }], { values: months }]) =>
    months.some((month) => values.some((day) => day <= (DAYS_IN_MONTH[month - 1] ?? 0))),
  )
  .map(([minute, hour, [day, weekday], month]) => {
    const plain = ({ text, values }: Field, base = 60) =>
      text === '*' ? '*' : [...new Set(values.map((value) => value % base))].sort((a, b) => a - b).join(',');
    return {
      unix: [minute, hour, day, month, weekday].map(({ text }) => text).join(' '),
      plain: [plain(minute), plain(hour), plain(day), plain(month), plain(weekday, 7)].join(' '),
    };
  });

function runsOf(expression: string, timeZone: string, from: number, count: number): string[] {
  const runs: string[] = [];
  for (let at: number | null = from; runs.length < count; ) {
    at = nextRun(expression, timeZone, at, from);
    if (at === null) break;
    runs.push(new Date(at).toISOString());
  }
  return runs;
}

it('runs at the same times as the Unix expression it was made of', () => {
  const start = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2032, 0, 1) });
  const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe');
  fc.assert(
    fc.property(unixCron, zone, start, ({ unix, plain }, tz, from) => {
      const cron = new Cron(plain, { timezone: tz, paused: true });
      // croner makes up for a time that clocks have jumped over, EventBridge does not.
      const expected: string[] = [];
      for (let at = cron.nextRun(new Date(from)); at && expected.length < 5; at = cron.nextRun(at))
        if (cron.match(at)) expected.push(at.toISOString());
      expect(runsOf(toEventBridgeCron(unix), tz, from, 5)).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});

it('says what EventBridge takes: six fields, one of the two days open, 256 characters at most', () => {
  fc.assert(
    fc.property(unixCron, ({ unix }) => {
      const expression = toEventBridgeCron(unix);
      const [, , day, , weekday, year, ...more] = expression.replace(/^cron\((.*)\)$/, '$1').split(' ');
      expect([day === '?', weekday === '?'].filter(Boolean)).toHaveLength(1);
      expect([year, more]).toEqual(['*', []]);
      // Steps and numbered weekdays are what the two sides read differently.
      expect(expression).not.toContain('/');
      expect(weekday).toMatch(/^(\?|(SUN|MON|TUE|WED|THU|FRI|SAT)(,(MON|TUE|WED|THU|FRI|SAT))*)$/);
      expect(expression.length).toBeLessThanOrEqual(256);
    }),
    { numRuns: 1000 },
  );
});

it.each([
  ['0 */6 * * *', 'cron(0 0,6,12,18 * * ? *)'],
  ['0 2 * * 0', 'cron(0 2 ? * SUN *)'],
  ['0 1 * * 1', 'cron(0 1 ? * MON *)'],
  ['0 2 * * 7', 'cron(0 2 ? * SUN *)'],
  ['0 2 * * 5-7', 'cron(0 2 ? * SUN,FRI,SAT *)'],
  ['30 4 1,15 * *', 'cron(30 4 1,15 * ? *)'],
  ['  */20   0   *  jan,6-8  * ', 'cron(0,20,40 0 * 1,6-8 ? *)'],
  ['0 0 29 2 *', 'cron(0 0 29 2 ? *)'],
  ['0 0 31 2,3 *', 'cron(0 0 31 2-3 ? *)'],
])('%s becomes %s', (unix, eventBridge) => {
  expect(toEventBridgeCron(unix)).toBe(eventBridge);
});

it.each([
  ['', 'five'],
  ['0 2 * *', 'has 4 fields'],
  ['0 0 2 * * 0', 'has 6 fields'],
  ['@daily', 'has 1 fields'],
  ['60 * * * *', '"60" is no minute; it goes from 0 to 59'],
  ['* 24 * * *', '"24" is no hour; it goes from 0 to 23'],
  ['0 0 0 * *', '"0" is no day of month; it goes from 1 to 31'],
  ['0 0 32 * *', '"32" is no day of month'],
  ['0 0 * 13 *', '"13" is no month; it goes from 1 to 12'],
  ['0 0 * 0 *', '"0" is no month'],
  ['0 0 * * 8', '"8" is no day of week; it goes from 0 to 7'],
  ['JAN * * * *', '"JAN" is no minute'],
  ['0 0 * monday *', '"monday" is no month'],
  ['0 0 L * *', '"L" is no day of month'],
  ['0 0 ? * MON', '"?" is not understood as day of month'],
  ['-1 * * * *', '"-1" is not understood as minute'],
  ['1.5 * * * *', '"1.5" is not understood as minute'],
  ['1,,2 * * * *', '"" is not understood as minute'],
  ['1, * * * *', '"" is not understood as minute'],
  ['*-5 * * * *', '"*-5" is not understood as minute'],
  ['0 0 * * 2#1', '"2#1" is not understood as day of week'],
  ['30-10 * * * *', '"30-10" as minute ends before it begins'],
  ['0 0 * * FRI-SUN', '"FRI-SUN" as day of week ends before it begins'],
  ['*/0 * * * *', '"*/0" as minute has a step of 0'],
  ['0 0 13 * 5', 'restricts both the day of month and the day of week'],
  ['0 0 */2 * MON', 'restricts both the day of month and the day of week'],
  ['0 0 30 2 *', '"0 0 30 2 *" never runs'],
  ['0 0 31 FEB,APR,JUN,SEP,NOV *', 'never runs'],
])('refuses "%s": %s', (expression, reason) => {
  expect(() => toEventBridgeCron(expression)).toThrow(reason);
});

it('takes any text as an expression that runs, or refuses it in words that name it', () => {
  const text = fc.array(
    fc.oneof(
      fc.string({ maxLength: 5 }),
      fc.constantFrom('*', '0', '1-5', '*/2', '7', 'MON', '?', 'constructor', '1/1'),
    ),
    { minLength: 4, maxLength: 6 },
  );
  fc.assert(
    fc.property(text, (parts) => {
      let expression: string;
      try {
        expression = toEventBridgeCron(parts.join(' '));
      } catch (error) {
        expect((error as Error).message).toMatch(/"/);
        return;
      }
      expect(nextRun(expression, 'UTC', 0, 0)).not.toBeNull();
    }),
    { numRuns: 2000 },
  );
});
