import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addToPeriod,
  addValues,
  joinSummaries,
  periodStart,
  type RollUp,
  type Summaries,
} from '../../shared/health/roll-ups.ts';
import { betweenReadings } from '../../shared/health/sample/between-readings.ts';
import {
  betweenStatements,
  estimatePercentile,
  meanTime,
  type StatementTimes,
} from '../../shared/health/sample/statement-times.ts';
import { type Counters, noSlots, type Reading } from '../../shared/health/sample/take-reading.ts';
import { daysUntil, deviation, fitLine, trendsOf } from '../../shared/health/trends.ts';

const DAY = 86_400_000;

/** A small generator with a seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
const timesOf = (all: readonly number[]): StatementTimes => ({
  calls: all.length,
  total: all.reduce((sum, time) => sum + time, 0),
  squares: all.reduce((sum, time) => sum + time ** 2, 0),
});

describe('response times', () => {
  test('the percentile is that of log-normal times, of one statement and of several', () => {
    const random = randomNumbers(3);
    const normal = () => Math.sqrt(-2 * Math.log(random() + 1e-12)) * Math.cos(2 * Math.PI * random());
    const make = (median: number, sigma: number) =>
      Array.from({ length: 20_000 }, () => median * Math.exp(sigma * normal()));
    const [quick, slow] = [make(2, 0.5), make(80, 0.3)];
    const p95 = (all: number[]) => [...all].sort((a, b) => a - b)[Math.floor(all.length * 0.95)] ?? 0;
    expect((estimatePercentile([timesOf(quick)], 95) ?? 0) / p95(quick)).toBeCloseTo(1, 1);
    const both = estimatePercentile([timesOf(quick), timesOf(slow)], 95) ?? 0;
    expect(both / p95([...quick, ...slow])).toBeCloseTo(1, 1);
  });

  test('statements of one time have that percentile; none have none', () => {
    expect(estimatePercentile([{ calls: 10, total: 50, squares: 250 }], 95)).toBeCloseTo(5, 3);
    expect(estimatePercentile([], 95)).toBeNull();
    expect(meanTime([]).mean).toBeNull();
  });

  test('what was there before is taken off; what was forgotten meanwhile counts in full', () => {
    const before = new Map([
      ['a', { calls: 10, total: 100, squares: 1000 }],
      ['b', { calls: 50, total: 9, squares: 9 }],
    ]);
    const now = new Map([
      ['a', { calls: 12, total: 104, squares: 1008 }],
      ['b', { calls: 2, total: 6, squares: 20 }],
      ['c', { calls: 1, total: 7, squares: 49 }],
    ]);
    expect(betweenStatements(before, now)).toEqual([
      { calls: 2, total: 4, squares: 8 },
      { calls: 2, total: 6, squares: 20 },
      { calls: 1, total: 7, squares: 49 },
    ]);
  });
});

describe('rates between two readings', () => {
  const counters: Counters = {
    started: 1,
    reset: 2,
    commits: 1000,
    rollbacks: 100,
    deadlocks: 1,
    temp_files: 0,
    temp_bytes: 0,
    blocks_read: 0,
    blocks_hit: 0,
    checkpoints_timed: 1,
    checkpoints_requested: 1,
    read_bytes: 0,
    written_bytes: 0,
    wal_bytes: null,
  };
  const reading = (at: number, changes: Partial<Counters>): Reading => ({
    at,
    values: {},
    counters: { ...counters, ...changes },
    statements: null,
    slots: noSlots,
    failures: [],
  });
  const rates = (changes: Partial<Counters>, seconds = 10) =>
    betweenReadings(reading(0, {}), null, reading(seconds * 1000, changes));

  test('are differences by seconds', () => {
    expect(rates({ commits: 1090, rollbacks: 110, deadlocks: 3, blocks_hit: 900, blocks_read: 100 })).toMatchObject({
      commits_per_second: 9,
      rollbacks_per_second: 1,
      error_rate: 0.1,
      deadlocks: 2,
      cache_hit_ratio: 0.9,
      wal_bytes_per_second: null,
    });
  });

  test.each([
    ['a restart', { started: 5, commits: 2000 }],
    ['a reset of the statistics', { reset: 5, commits: 2000 }],
    ['a counter that went back', { commits: 10 }],
  ])('are unknown after %s', (_, changes) => {
    expect(rates(changes)).toEqual({});
  });

  test('are unknown over a long pause, and without a reading before', () => {
    expect(rates({ commits: 9000 }, 10_000)).toEqual({});
    expect(betweenReadings(null, null, reading(5, {}))).toEqual({});
  });

  test('of few transactions tell no share of errors', () => {
    expect(rates({ commits: 1003, rollbacks: 102 })).toMatchObject({ error_rate: null, deadlocks: 0 });
    expect(rates({ blocks_hit: 5, blocks_read: 5 }).cache_hit_ratio).toBeNull();
  });

  test('in which nothing was bad tell so, however few they are: an alert ends though its cause has gone with the load', () => {
    expect(rates({ commits: 1003, blocks_hit: 5 })).toMatchObject({ error_rate: 0, cache_hit_ratio: 1 });
  });
});

describe('trends', () => {
  const every = (count: number, step: number, value: (index: number) => number, name = 'disk_usage'): RollUp[] =>
    Array.from({ length: count }, (_, index) => ({
      at: index * step,
      metrics: { [name]: [0, value(index), value(index), 1] },
    }));

  test('a line through points on it has its slope and all confidence', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -5, max: 5, noNaN: true }),
        fc.double({ min: -9, max: 9, noNaN: true }),
        (slope, level) => {
          fc.pre(Math.abs(slope) > 1e-3);
          const points = Array.from({ length: 30 }, (_, index): [number, number] => [
            index * DAY,
            level + slope * index,
          ]);
          const fit = fitLine(points);
          expect(fit?.slope).toBeCloseTo(slope, 6);
          expect(fit?.level).toBeCloseTo(level + slope * 29, 6);
          expect(fit?.confidence).toBeCloseTo(1, 6);
        },
      ),
    );
  });

  test('tell the days until the disk is full, and nothing where it goes up and down', () => {
    const growing = trendsOf(every(100, 600_000, (index) => 0.5 + index * 0.001));
    // 0.001 in ten minutes is 0.144 a day; 0.401 are left.
    expect(growing.values.days_until_disk_full).toBeCloseTo(0.401 / 0.144, 2);
    expect(growing.fits.days_until_disk_full?.confidence).toBeCloseTo(1);
    const waving = trendsOf(every(100, 600_000, (index) => 0.6 + 0.1 * Math.sin(index / 3)));
    expect(waving.values.days_until_disk_full).toBe(3650);
    // It rises, but far less than it goes up and down.
    const unsure = trendsOf(every(100, 600_000, (index) => 0.5 + 0.0003 * index + 0.1 * Math.sin(index * 1.7)));
    expect(unsure.fits.days_until_disk_full?.slope).toBeGreaterThan(0);
    expect(unsure.values.days_until_disk_full).toBe(3650);
    expect(trendsOf(every(5, 600_000, (index) => index / 10)).values.days_until_disk_full).toBeNull();
    expect(daysUntil(1, fitLine(every(20, DAY, () => 0).map(({ at }, index) => [at, 1 - index / 100])))).toBe(3650);
    // Neither sure enough to open an alert nor unsure enough to end one.
    expect(daysUntil(1, { slope: 0.1, level: 0.5, confidence: 0.7, points: 100 })).toBeNull();
    expect(daysUntil(1, { slope: 0.1, level: 0.5, confidence: 0.8, points: 100 })).toBeCloseTo(5);
    expect(daysUntil(1, { slope: 0.1, level: 0.5, confidence: 0.4, points: 100 })).toBe(3650);
  });

  test('compare with the same hour of past days', () => {
    const hourly = (last: number) =>
      every(
        24 * 6,
        3_600_000,
        (index) => (index === 24 * 6 - 1 ? last : 100 + 50 * Math.sin((index / 12) * Math.PI)),
        'response_time_ms',
      );
    expect(
      Math.abs(deviation(hourly(100 + 50 * Math.sin((143 / 12) * Math.PI)), 'response_time_ms') ?? 9),
    ).toBeLessThan(0.01);
    expect(deviation(hourly(900), 'response_time_ms')).toBeGreaterThan(10);
    expect(deviation(hourly(900).slice(-30), 'response_time_ms')).toBeNull();
  });
});

test('summaries of parts join to the summary of the whole', () => {
  const value = fc.double({ min: -1e6, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(fc.array(value), fc.array(value), (one, other) => {
      const of = (all: number[]) => all.reduce<Summaries>((sums, connections) => addValues(sums, { connections }), {});
      const [joined, whole] = [joinSummaries(of(one), of(other)).connections, of([...one, ...other]).connections];
      expect(joined?.[0]).toBe(whole?.[0]);
      expect(joined?.[2]).toBe(whole?.[2]);
      expect(joined?.[3]).toBe(whole?.[3]);
      if (joined && whole) expect(joined[1]).toBeCloseTo(whole[1], 3);
    }),
  );
});

test('a sample of a new period closes the one before', () => {
  const first = addToPeriod(null, 599_999, { connections: 4 }, 600);
  expect(first).toEqual({ open: { at: 0, metrics: { connections: [4, 4, 4, 1] } }, closed: null });
  const second = addToPeriod(first.open, 600_000, { connections: 6, up: null }, 600);
  expect(second).toEqual({ open: { at: 600_000, metrics: { connections: [6, 6, 6, 1] } }, closed: first.open });
  expect(periodStart(1_199_999, 600)).toBe(600_000);
});
