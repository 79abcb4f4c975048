import { describe, expect, it } from 'vitest';
import { holdFor, longestHold, mayLeave, watchOther } from '../../../shared/backup/distributed/turns.ts';
import type { ExportState } from '../../../shared/state/exports.ts';

const LONGEST = longestHold({ whole: 900_000 });

describe('a holder', () => {
  it('holds as long as it may when it is alone, and the second one half of that', () => {
    expect(holdFor(null, LONGEST)).toBe(LONGEST);
    expect(LONGEST).toBeCloseTo(641, 0);
    // Of a short invocation, too, a quarter and the time for closing are left.
    expect(longestHold({ whole: 20_000 })).toBe(13.5);
    expect(holdFor(LONGEST, LONGEST)).toBe(LONGEST / 2);
  });

  it.each([0, 1, 100, 300, 337, 400, 500, 674])(
    'leaves well before or after another one that leaves in %d s',
    (other) => {
      const own = holdFor(other, LONGEST);
      expect(own).toBeGreaterThan(0);
      expect(own).toBeLessThanOrEqual(LONGEST);
      expect(Math.abs(own - other)).toBeGreaterThanOrEqual(LONGEST / 4);
    },
  );

  it('is never left alone for long, however late its successors come', () => {
    // Each holder's successor comes up to a minute after it has left.
    const leaves = { a: LONGEST, b: holdFor(LONGEST, LONGEST) };
    let late = 0;
    for (let turn = 0; turn < 500; turn++) {
      const [track, other] = leaves.a <= leaves.b ? (['a', 'b'] as const) : (['b', 'a'] as const);
      late = (late * 7919 + 13) % 61;
      const comes = leaves[track] + late;
      // The other one is still there, with more time than the next relay takes.
      expect(leaves[other] - comes).toBeGreaterThan(60);
      leaves[track] = comes + holdFor(leaves[other] - comes, LONGEST);
    }
  });
});

type Holders = ExportState['holders'];
const holder = (changes: Partial<Holders[string]>): Holders[string] => ({
  generation: 1,
  snapshot_id: 'x',
  beat: 0,
  leaves_in: 100,
  locked: true,
  ...changes,
});
const stateWith = (holders: Holders) => ({ holders, plan: {} }) as unknown as ExportState;

describe('a holder whose turn is over', () => {
  const own = holder({ generation: 3, leaves_in: -1 });

  it('may leave when the other one is there and has the locks', () => {
    expect(mayLeave(stateWith({ a: own, b: holder({}) }), 'a', 'there')).toBe(true);
  });

  it.each([
    ['is not there', {}, 'absent'],
    ['has not been heard of for a while', { b: holder({}) }, 'silent'],
    ['has no locks yet', { b: holder({ locked: false }) }, 'there'],
    ['wants to leave first', { b: holder({ generation: 2, leaves_in: -5 }) }, 'there'],
  ] as const)('stays when the other one %s', (_, others, sight) => {
    expect(mayLeave(stateWith({ a: own, ...others }), 'a', sight)).toBe(false);
  });

  it('of two that are overdue, lets the older one leave', () => {
    const both = stateWith({
      a: holder({ generation: 3, leaves_in: -1 }),
      b: holder({ generation: 2, leaves_in: -1 }),
    });
    expect([mayLeave(both, 'a', 'there'), mayLeave(both, 'b', 'there')]).toEqual([false, true]);
  });
});

it('a holder is there while its beat changes, by whatever clock', () => {
  const watch = watchOther('a');
  const beat = (n: number, generation = 1) => watch(stateWith({ b: holder({ beat: n, generation }) }));
  expect(watch(stateWith({}))).toBe('absent');
  // Its record alone says nothing: it may be of one that died.
  expect(beat(7)).toBe('silent');
  expect(beat(8)).toBe('there');
  expect([beat(8), beat(8), beat(8), beat(8)]).toEqual(['there', 'there', 'there', 'there']);
  expect(beat(8)).toBe('silent');
  expect(beat(0, 2)).toBe('there');
});
