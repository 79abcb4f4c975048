import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  hasLasted,
  isMinuteOfSamples,
  roundsOfMinute,
  secondsBetweenSamples,
} from '../../shared/health/sampling-interval.ts';

test.each([
  [10, 10],
  [11, 12],
  [25, 30],
  [30, 30],
  [45, 60],
  [60, 60],
  [80, 60],
  [90, 120],
  [3600, 3600],
])('samples every %i s come every %i s', (configured, between) => {
  expect(secondsBetweenSamples(configured)).toBe(between);
  const taken = Array.from({ length: 120 }, (_, minute) =>
    isMinuteOfSamples(configured, minute * 60_000)
      ? roundsOfMinute(configured).map((offset) => minute * 60 + offset)
      : [],
  ).flat();
  expect(taken).toEqual(Array.from({ length: 7200 / between }, (_, index) => index * between));
});

test('the sample that is due counts, however much before or after its time within a quarter of the interval, and none before it', () => {
  const jitter = fc.integer({ min: -24, max: 24 }).map((hundredths) => hundredths / 100);
  fc.assert(
    fc.property(
      fc.constantFrom(10, 12, 30, 60, 120),
      fc.nat(2000),
      fc.constantFrom(0, 1, 5),
      fc.nat(2),
      jitter,
      jitter,
      (between, whole, rest, more, first, last) => {
        const seconds = whole * between + rest;
        const due = Math.ceil(seconds / between);
        const lasted = (samples: number): number => (samples + last - first) * between * 1000;
        expect(hasLasted(lasted(due + more), seconds, between)).toBe(true);
        // One before it counts where the time itself is over.
        const before = lasted(due - 1);
        if (due > 0 && before < seconds * 1000) expect(hasLasted(before, seconds, between)).toBe(false);
      },
    ),
  );
});
