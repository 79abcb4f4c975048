import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { laneConnections } from '../../../shared/backup/distributed/connections.ts';
import { divideWork } from '../../../shared/backup/distributed/shares.ts';

describe('work is divided among lanes', () => {
  const works = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { maxLength: 200 });

  it('each task once, evenly, and always in the same way', () => {
    fc.assert(
      fc.property(works, fc.integer({ min: 1, max: 16 }), (work, lanes) => {
        const tasks = [...work.keys()];
        const workOf = (task: number) => work[task] ?? 0;
        const shares = divideWork(tasks, lanes, workOf);
        expect(shares).toHaveLength(lanes);
        expect(shares.flat().sort((a, b) => a - b)).toEqual(tasks);
        expect(divideWork([...tasks].reverse(), lanes, workOf)).toEqual(shares);
        // No lane has more than another one by more than its last task, which is its smallest.
        const sums = shares.map((share) => share.reduce((sum, task) => sum + workOf(task), 0));
        shares.forEach((share, lane) => {
          const last = share.at(-1);
          if (last !== undefined) expect((sums[lane] ?? 0) - workOf(last)).toBeLessThanOrEqual(Math.min(...sums));
        });
      }),
    );
  });
});

describe('lanes share the free connections', () => {
  const settings = { lanes: 8, connections: 2, connection_share: 0.5 };

  it('all that are configured when there are enough', () => {
    expect(laneConnections(100, settings, 5000)).toEqual({ lanes: 8, connections: 2, warnings: [] });
  });

  it('fewer, with a warning that says why, when there are not', () => {
    const { lanes, connections, warnings } = laneConnections(30, settings, 5000);
    expect([lanes, connections]).toEqual([5, 2]);
    expect(warnings).toEqual([expect.stringContaining('5 lanes of 2 connections in place of 8 of 2')]);
    expect(laneConnections(12, settings, 5000)).toMatchObject({ lanes: 1, connections: 1 });
  });

  it('no more than there are tasks, without a warning', () => {
    expect(laneConnections(100, settings, 3)).toEqual({ lanes: 3, connections: 2, warnings: [] });
  });

  it('never take more than their share', () => {
    fc.assert(
      fc.property(fc.integer({ min: 12, max: 1000 }), fc.integer({ min: 1, max: 32 }), (free, wanted) => {
        const { lanes, connections } = laneConnections(free, { ...settings, lanes: wanted }, 10_000);
        expect(lanes * connections + 5).toBeLessThanOrEqual(free * settings.connection_share);
        expect(lanes).toBeGreaterThanOrEqual(1);
      }),
    );
  });

  it('and refuse to take the last ones', () => {
    expect(() => laneConnections(11, settings, 5000)).toThrow(/11 free connections/);
  });
});
