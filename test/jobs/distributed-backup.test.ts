import { describe, expect, it } from 'vitest';
import type { JobError } from '../../shared/contract/schemas/job.ts';
import type { DistributedSteps } from '../../shared/jobs/attempts.ts';
import { type DistributedWork, exportDistributed } from '../../shared/jobs/distributed-backup.ts';

const failure = (code: string): JobError => ({ code, message: code, next_step: 'See.' });
const answers = {
  exported: (left = 0) => ({ status: 'exported', left }),
  failed: (code: string) => ({ status: 'failed', error: failure(code) }),
};
const DIED = new Error('The function was killed');

interface World {
  /** What a lane's invocation answers, by its name `lane-<round>-<lane>-<try>`; otherwise that all is exported. */
  lanes?: Record<string, unknown>;
  /** What the holders of a track answer, one after the other; then they hold to the end. */
  holders?: Partial<Record<'a' | 'b', unknown[]>>;
  work?: Partial<DistributedWork<string>>;
}

/** Runs an attempt of three lanes in which functions answer at once. */
async function attempt({ lanes = {}, holders = {}, work = {} }: World) {
  const log: string[] = [];
  const over = Promise.withResolvers<void>();
  const steps: DistributedSteps = {
    step: (_name, run) => run(),
    audited: (_name, work) => work(),
    wait: async (name, seconds) => void log.push(`${name} ${seconds}`),
    parallel: (_name, branches) => Promise.all(branches.map((branch) => branch(steps))),
    async invoke(name, functionArn, input) {
      log.push(name);
      const { track } = input as { track?: 'a' | 'b' };
      const answer = functionArn === 'holder' && track ? holders[track]?.shift() : lanes[name];
      if (answer instanceof Error) throw answer;
      if (answer !== undefined || functionArn !== 'holder') return answer ?? answers.exported();
      await over.promise;
      return { status: 'ended' };
    },
  };
  const outcome = await exportDistributed<string>(
    steps,
    { name: 'one', exportId: 'export', operations: 2000 },
    {
      holderFunction: 'holder',
      laneFunction: 'lane',
      takeWorkers: async () => 8,
      begin: async () => undefined,
      plan: async () => ({ lanes: 3, definitions: null }),
      define: async () => ({ schema: { path: 'schema', stored_bytes: 1, sha256: '' }, pgDumpVersion: null }),
      divide: async () => ({ left: 1, exported: 1 }),
      finish: async () => 'finished',
      giveUp: async (_id, error) => {
        log.push(`given up: ${error.code}`);
        over.resolve();
      },
      end: async () => {
        log.push('ended');
        over.resolve();
      },
      ...work,
    },
  );
  return { outcome, log };
}

/** What Lambda answers when the account has no concurrent execution left. */
const THROTTLED = Object.assign(new Error('Rate Exceeded.'), { errorType: 'TooManyRequestsException' });

describe('a distributed backup in an account that has little concurrency', () => {
  it('begins when there are places for its workers, and plans for as many as it got', async () => {
    const free = [null, null, 2];
    const planned: number[] = [];
    const { outcome, log } = await attempt({
      work: {
        takeWorkers: async () => free.shift() ?? null,
        plan: async (_id, workers) => {
          planned.push(workers);
          return { lanes: workers, definitions: null };
        },
      },
    });
    expect(outcome.status).toBe('done');
    expect(planned).toEqual([2]);
    expect(log.slice(0, 2)).toEqual(['one-turn-wait-1 2', 'one-turn-wait-2 5']);
  });

  it('fails in words when others have all places for half a day', async () => {
    const { outcome, log } = await attempt({ work: { takeWorkers: async () => null } });
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'no_turn' } });
    expect(log).toHaveLength(105);
  });

  it('tries a throttled worker again with growing waits, more often than one that failed, and counts what it takes', async () => {
    const lanes: Record<string, unknown> = { 'lane-1-1-1': THROTTLED };
    for (let again = 1; again < 6; again++) lanes[`lane-1-1-1-again-${again}`] = THROTTLED;
    const plain = await attempt({});
    const { outcome, log } = await attempt({ lanes, holders: { a: [THROTTLED, THROTTLED] } });
    expect(outcome.status).toBe('done');
    expect(log.filter((name) => name.startsWith('lane-1-1-1-throttled'))).toEqual(
      [1, 2, 5, 10, 20, 30].map((seconds, index) => `lane-1-1-1-throttled-${index + 1} ${seconds}`),
    );
    expect(log.filter((name) => name.startsWith('holder-a'))).toEqual([
      'holder-a-1',
      'holder-a-1-throttled-1 1',
      'holder-a-1-again-1',
      'holder-a-1-throttled-2 2',
      'holder-a-1-again-2',
    ]);
    expect(outcome.operations - plain.outcome.operations).toBe(16);
  });
});

describe('a distributed backup', () => {
  it('ends when every lane has exported its share, and lets its holders go', async () => {
    const { outcome, log } = await attempt({});
    expect(outcome).toMatchObject({ status: 'done', result: 'finished' });
    expect(log.filter((name) => name.startsWith('lane'))).toEqual(['lane-1-0-1', 'lane-1-1-1', 'lane-1-2-1']);
    expect(log.at(-1)).toBe('ended');
  });

  it('goes into another round with what is left, until nothing is', async () => {
    const left = [5, 0];
    const { outcome, log } = await attempt({
      lanes: { 'lane-1-1-1': answers.exported(7), 'lane-2-0-1': answers.exported(2) },
      work: { divide: async () => ({ left: left.shift() ?? 0, exported: 3 }) },
    });
    expect(outcome.status).toBe('done');
    expect(log.filter((name) => name.startsWith('lane'))).toHaveLength(6);
  });

  it.each([
    ['that died', DIED],
    ['that lost its connection', answers.failed('connection_lost')],
    ['that KMS had no time for', answers.failed('key_unavailable')],
    ['that waited for a lock', answers.failed('table_locked')],
  ])('invokes a lane %s again, alone', async (_, answer) => {
    const { outcome, log } = await attempt({ lanes: { 'lane-1-1-1': answer, 'lane-1-1-2': answer } });
    expect(outcome.status).toBe('done');
    expect(log.filter((name) => /^lane-\d-\d-\d$/.test(name) && !name.endsWith('-1'))).toEqual([
      'lane-1-1-2',
      'lane-1-1-3',
    ]);
  });

  it.each([
    ['the same happens three times', { 'lane-1-1-1': DIED, 'lane-1-1-2': DIED, 'lane-1-1-3': DIED }, 'function_ended'],
    [
      'it is cancelled',
      { 'lane-1-0-1': answers.failed('export_over'), 'lane-1-1-1': answers.failed('job_cancelled') },
      'job_cancelled',
    ],
    ['the snapshot is lost', { 'lane-1-2-1': answers.failed('snapshot_lost') }, 'snapshot_lost'],
    [
      'one fails for good',
      { 'lane-1-0-1': answers.failed('export_over'), 'lane-1-2-1': answers.failed('key_refused') },
      'key_refused',
    ],
  ])('ends all lanes when %s, and says why', async (_, lanes, code) => {
    const { outcome, log } = await attempt({ lanes });
    expect(outcome).toMatchObject({ status: 'failed', error: { code } });
    expect(log).toContain('ended');
  });

  it('says so when no lane gets anything done', async () => {
    const lanes = Object.fromEntries(
      [1, 2, 3].flatMap((round) => [0, 1, 2].map((lane) => [`lane-${round}-${lane}-1`, answers.exported(4)])),
    );
    const { outcome } = await attempt({ lanes, work: { divide: async () => ({ left: 12, exported: 0 }) } });
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'export_stands_still' } });
  });

  it('never takes more operations than it may', async () => {
    const { outcome } = await attempt({
      lanes: new Proxy({}, { get: () => answers.exported(1) }),
      work: { divide: async () => ({ left: 3, exported: 3 }) },
    });
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'export_too_long' } });
    expect(outcome.operations).toBeLessThanOrEqual(2000);
  });

  it('ends the lanes when the definitions cannot be dumped', async () => {
    const { outcome, log } = await attempt({
      work: {
        define: async () => {
          throw new Error('pg_dump');
        },
      },
    });
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'internal_error' } });
    expect(log).toContain('ended');
  });
});

describe('a track of holders', () => {
  it('goes on with another one after each, also after one that died', async () => {
    const { outcome, log } = await attempt({ holders: { a: [{ status: 'relay' }, DIED, { status: 'relay' }] } });
    expect(outcome.status).toBe('done');
    expect(log.filter((name) => /^holder-a-\d/.test(name))).toEqual([
      'holder-a-1',
      'holder-a-2',
      'holder-a-3',
      'holder-a-4',
    ]);
    expect(log).toContain('holder-a-wait-2 1');
  });

  it('is given up when one after the other dies, so that nobody trusts the snapshot', async () => {
    const { log } = await attempt({ holders: { b: [DIED, DIED, DIED, DIED] } });
    expect(log).toContain('given up: function_ended');
  });
});
