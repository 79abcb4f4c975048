import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keepingTime, type PublishedVersion, prunableVersions } from '../../shared/versions/prunable.ts';

const DAY_MS = 86_400_000;
const NOW = new Date('2026-06-30T12:00:00Z');

const version = (number: number, daysAgo: number, durable: PublishedVersion['durable'] = null): PublishedVersion => ({
  version: String(number),
  publishedAt: new Date(NOW.getTime() - daysAgo * DAY_MS),
  durable,
});
const durable = { executionSeconds: 86_400, historyDays: 14 };

describe('the versions that can be pruned', () => {
  it('are those superseded longer ago than an execution and its history take', () => {
    const versions = [
      version(9, 60, durable),
      version(10, 40, durable),
      version(11, 15, durable),
      version(12, 3, durable),
    ];
    const fn = { name: 'dbms-backup', versions, aliased: new Set(['12']) };
    // Version 10 was superseded 15 days ago: one day of work, 14 of history, and a day of margin are 16.
    expect(prunableVersions(fn, keepingTime([fn]), NOW)).toEqual(['9']);
    expect(prunableVersions(fn, keepingTime([fn]), new Date(NOW.getTime() + 1.1 * DAY_MS))).toEqual(['9', '10']);
  });

  it('are never the newest one, nor one that an alias stands for, however old', () => {
    const versions = [version(1, 900), version(2, 800), version(3, 700)];
    expect(prunableVersions({ name: 'worker', versions, aliased: new Set(['1']) }, DAY_MS, NOW)).toEqual(['2']);
    expect(prunableVersions({ name: 'worker', versions: [version(1, 900)], aliased: new Set() }, DAY_MS, NOW)).toEqual(
      [],
    );
  });

  it('of workers are kept for as long as any version of a durable function may need them', () => {
    const backup = {
      name: 'dbms-backup',
      versions: [version(1, 100, { executionSeconds: 90 * 86_400, historyDays: 14 }), version(2, 50, durable)],
      aliased: new Set(['2']),
    };
    const lane = { name: 'dbms-export-lane', versions: [version(1, 100), version(2, 50)], aliased: new Set<string>() };
    expect(prunableVersions(lane, keepingTime([lane]), NOW)).toEqual(['1']);
    expect(prunableVersions(lane, keepingTime([lane, backup]), NOW)).toEqual([]);
  });

  it('hold no version that an execution may still be pinned to, whatever was deployed when', () => {
    const deployments = fc.array(
      fc.record({ hoursAgo: fc.integer({ min: 0, max: 5000 }), timeoutHours: fc.integer({ min: 1, max: 800 }) }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(deployments, fc.integer({ min: 1, max: 30 }), (given, historyDays) => {
        const ordered = [...given].sort((a, b) => b.hoursAgo - a.hoursAgo);
        const versions = ordered.map(({ hoursAgo, timeoutHours }, index) =>
          version(index + 1, hoursAgo / 24, { executionSeconds: timeoutHours * 3600, historyDays }),
        );
        const fn = { name: 'f', versions, aliased: new Set([String(versions.length)]) };
        for (const number of prunableVersions(fn, keepingTime([fn]), NOW)) {
          const index = Number(number) - 1;
          const superseded = ordered[index + 1];
          // The last execution of it began when the next version took its place, and takes all of its time.
          const lastEndHoursAgo = (superseded?.hoursAgo ?? 0) - (ordered[index]?.timeoutHours ?? 0);
          expect(lastEndHoursAgo).toBeGreaterThan(historyDays * 24);
        }
      }),
    );
  });
});
