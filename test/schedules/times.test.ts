import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { missedRuns } from '../../shared/schedules/missed.ts';
import { nextRuns, pastRuns, wallClock } from '../../shared/schedules/times.ts';

const iso = (times: Date[]) => times.map((time) => time.toISOString());
const berlin = (cron: string) => ({ cron, time_zone: 'Europe/Berlin' });

describe('the times of a schedule', () => {
  it('follow the clocks of its time zone', () => {
    expect(iso(nextRuns(berlin('0 2 * * 0'), new Date('2026-03-20T00:00:00Z'), 3))).toEqual([
      '2026-03-22T01:00:00.000Z',
      // On 29 March there is no two o'clock.
      '2026-04-05T00:00:00.000Z',
      '2026-04-12T00:00:00.000Z',
    ]);
  });

  it('name an hour that clocks show twice once', () => {
    expect(iso(nextRuns(berlin('30 * * * *'), new Date('2026-10-24T23:40:00Z'), 3))).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T02:30:00.000Z',
      '2026-10-25T03:30:00.000Z',
    ]);
  });

  it('are few for a day that comes seldom', () => {
    expect(iso(nextRuns({ cron: '0 0 29 2 *', time_zone: 'UTC' }, new Date('2026-01-01T00:00:00Z'), 2))).toEqual([
      '2028-02-29T00:00:00.000Z',
      '2032-02-29T00:00:00.000Z',
    ]);
  });

  it('are the same looked at from before and from after, in their order, on the clock as it is written', () => {
    const cron = fc
      .tuple(
        fc.integer({ min: 0, max: 59 }),
        fc.constantFrom('*', '2', '*/6', '1,2,3'),
        fc.constantFrom('*', '0', '1-5'),
      )
      .map(([minute, hour, weekday]) => `${minute} ${hour} * * ${weekday}`);
    const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Kathmandu');
    const start = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2032, 0, 1) });
    fc.assert(
      fc.property(cron, zone, start, (expression, time_zone, from) => {
        const times = { cron: expression, time_zone };
        const next = nextRuns(times, new Date(from), 6);
        expect(next).toHaveLength(6);
        expect(iso([...next].sort((a, b) => a.getTime() - b.getTime()))).toEqual(iso(next));
        const [minute = ''] = expression.split(' ');
        for (const time of next) expect(wallClock(time, time_zone).slice(-2)).toBe(minute.padStart(2, '0'));
        const until = new Date((next.at(-1)?.getTime() ?? 0) + 1000);
        // Of an hour that comes twice, one meets the earlier run first, the other the later.
        const shown = (all: Date[]) => all.map((time) => wallClock(time, time_zone));
        const past = pastRuns(times, until, 6).filter((time) => time.getTime() > from);
        const expected = new Set(shown(next));
        for (const each of shown(past)) expect(expected).toContain(each);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a run is missed', () => {
  const now = new Date('2026-06-10T12:40:00.000Z');
  const hourly = { cron: '0 * * * *', time_zone: 'UTC', enabled: true, since: '2026-06-10T09:30:00.000Z' };
  const came = (...due: string[]) => due.map((due_at) => ({ due_at }));

  test('when nothing came of it a quarter of an hour later, since the schedule was applied', () => {
    expect(missedRuns(hourly, came('2026-06-10T11:00:00.000Z'), now)).toEqual([
      '2026-06-10T12:00:00.000Z',
      '2026-06-10T10:00:00.000Z',
    ]);
    expect(missedRuns(hourly, [], new Date('2026-06-10T10:14:59.000Z'))).toEqual([]);
    expect(missedRuns(hourly, [], new Date('2026-06-10T10:15:01.000Z'))).toEqual(['2026-06-10T10:00:00.000Z']);
  });

  test('never, while it is disabled or not applied, or within the minute that a change takes', () => {
    expect(missedRuns({ ...hourly, enabled: false }, [], now)).toEqual([]);
    expect(missedRuns(undefined, [], now)).toEqual([]);
    expect(missedRuns({ ...hourly, since: '2026-06-10T11:59:30.000Z' }, [], now)).toEqual([]);
  });

  test('on no day on which its hour was jumped over, and whichever of two hours it names', () => {
    const nightly = { ...berlin('30 2 * * *'), enabled: true, since: '2026-03-28T12:00:00.000Z' };
    expect(missedRuns(nightly, [], new Date('2026-03-29T20:00:00Z'))).toEqual([]);
    const autumn = { ...nightly, since: '2026-10-24T12:00:00.000Z' };
    const evening = new Date('2026-10-25T20:00:00Z');
    expect(missedRuns(autumn, [], evening)).toHaveLength(1);
    for (const due of ['2026-10-25T00:30:00.000Z', '2026-10-25T01:30:00.000Z']) {
      expect(missedRuns(autumn, came(due), evening)).toEqual([]);
    }
  });
});
