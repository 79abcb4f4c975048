import { describe, expect, it } from 'vitest';
import { chunkTooLarge, largestChunk, workWithin } from '../../../shared/backup/distributed/limits.ts';
import { exportTasks } from '../../../shared/backup/export/tasks.ts';
import { simulatedPlan } from '../support/simulation.ts';

const MIB = 1_048_576;

describe('what an invocation surely does', () => {
  it('grows with its time and its connections, as far as its processors go', () => {
    expect(workWithin(870_000, 2)).toBe(870 * 2 * 20 * MIB);
    expect(workWithin(870_000, 32)).toBe(workWithin(870_000, 4));
  });

  it('is more than any chunk of a table that can be read by ranges', () => {
    const seconds = 20;
    const prepared = { ...simulatedPlan(10, 100, 90), chunkBytes: largestChunk(seconds * 1000, 4) };
    const largest = Math.max(...exportTasks(prepared).map(({ weight }) => weight));
    // The last one is begun when a fifth of the time is left.
    expect(largest / (20 * MIB)).toBeLessThanOrEqual(seconds * 0.2 * 1.5);
    expect(largestChunk(20_000, 32)).toBe(largestChunk(20_000, 4) / 8);
  });
});

describe('a chunk that no invocation can do', () => {
  const messageFor = (rangeable: number[]): string => {
    const prepared = { ...simulatedPlan(1, 100, 100), rangeable };
    const [task] = exportTasks(prepared);
    if (!task) throw new Error('There is no task');
    return chunkTooLarge(task, prepared).message;
  };

  it('is a whole table of another access method, and is named as such', () => {
    expect(messageFor([])).toMatch(/^The table "public"."table_0" .* its access method/);
    expect(messageFor([0])).toMatch(/^The table "public"."table_0" has a chunk that takes longer/);
  });
});
