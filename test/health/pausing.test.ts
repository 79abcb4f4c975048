import { describe, expect, test } from 'vitest';
import { describeSuspension, isDue, stillSuspended } from '../../shared/health/pausing.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');
const minutes = (count: number): number => NOW - count * 60_000;
const suspension = (changes: object = {}) => ({ since: minutes(6), askedAt: minutes(2), isPaused: false, ...changes });
const judge = (changes: object, capacity: number | null, connections: number | null) =>
  stillSuspended(suspension(changes), { capacity, connections }, 300, NOW);

describe('a database that may pause', () => {
  test.each([
    ['has paused', {}, 0, 0, true],
    ['has paused, whatever its last connections were', { since: minutes(2) }, 0, 1, true],
    ['is not used and has not paused yet', {}, 0.5, 0, false],
    ['shows the connection of its last sample', { since: minutes(3) }, 0.5, 1, false],
    ['is one of which CloudWatch says nothing yet', {}, null, null, false],
    ['has paused, and CloudWatch has no newer value', { isPaused: true }, null, null, false],
  ])('is left alone while it %s', (_what, changes, capacity, connections, isPaused) => {
    expect(judge(changes, capacity, connections)).toMatchObject({ isPaused, askedAt: NOW });
  });

  test.each([
    ['somebody uses it', {}, 2, 3],
    ['somebody has resumed it', { isPaused: true }, 1.5, 0],
    ['it does not pause although nobody uses it', { since: minutes(16) }, 0.5, 0],
  ])('is sampled again once %s', (_what, changes, capacity, connections) => {
    expect(judge(changes, capacity, connections)).toBeNull();
  });

  test('is asked about every other minute, and says why it is not sampled', () => {
    expect(isDue(suspension({ askedAt: minutes(1) }), NOW)).toBe(false);
    expect(isDue(suspension(), NOW)).toBe(true);
    expect(describeSuspension(suspension({ isPaused: true }))).toMatch(
      /^Not sampled since 2026-11-30T11:54.*It has paused/,
    );
  });
});
