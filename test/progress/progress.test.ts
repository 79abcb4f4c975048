import { expect, test } from 'vitest';
import type { Progress } from '../../shared/contract/schemas/job.ts';
import { startProgress } from '../../shared/progress/progress.ts';

const HOUR = 3_600_000;

test('estimated totals become what was counted when all is counted', async () => {
  const reports: Progress[] = [];
  const progress = startProgress(async (now) => void reports.push(now), HOUR);
  progress.total({ tables: 2, rows: 120, bytes: 10_000 });
  progress.phase('data');
  progress.add({ tables: 2, rows: 100, bytes: 7000 });
  expect(progress.snapshot()).toMatchObject({
    tables: { done: 2, total: 2 },
    rows: { done: 100, total: 120 },
    bytes: { done: 7000, total: 10_000 },
  });
  progress.phase('finishing');
  progress.settle();
  await progress.close();
  expect(reports.at(-1)).toMatchObject({
    phase: 'finishing',
    tables: { done: 2, total: 2 },
    rows: { done: 100, total: 100 },
    bytes: { done: 7000, total: 7000 },
  });
});

test('a total that was estimated too low is raised, never passed', () => {
  const progress = startProgress(async () => undefined, HOUR);
  progress.total({ rows: 10, bytes: 100 });
  progress.add({ rows: 11, bytes: 250 });
  const { rows, bytes, seconds_left } = progress.snapshot();
  expect([rows, bytes]).toEqual([
    { done: 11, total: 11 },
    { done: 250, total: 250 },
  ]);
  expect(seconds_left === null || seconds_left === 0).toBe(true);
});

test('rate and time left count from the beginning of the phase', () => {
  let now = 0;
  const progress = startProgress(
    async () => undefined,
    HOUR,
    () => now,
  );
  progress.total({ bytes: 3000 });
  progress.phase('data');
  expect(progress.snapshot()).toMatchObject({ bytes_per_second: null, seconds_left: null });
  now = 10_000;
  progress.add({ bytes: 1000 });
  expect(progress.snapshot()).toMatchObject({ bytes_per_second: 100, seconds_left: 20 });
  progress.phase('indexes');
  expect(progress.snapshot()).toMatchObject({ phase: 'indexes', bytes_per_second: null, seconds_left: null });
});

test('a report that fails harms nothing, and the last state is reported again', async () => {
  let calls = 0;
  const progress = startProgress(() => {
    calls += 1;
    return Promise.reject(new Error('no table'));
  }, HOUR);
  progress.add({ rows: 1 });
  await progress.close();
  expect(calls).toBe(1);
});
