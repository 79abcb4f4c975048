import { expect, it } from 'vitest';
import type { Job } from '../../shared/contract/schemas/job.ts';
import { withCancellation } from '../../shared/jobs/cancellation.ts';

/** A job that runs at the first look, and is as said from the next one on. */
function jobThatIs(later: Partial<Job>) {
  let looks = 0;
  const find = async () => {
    looks += 1;
    return { status: 'running', cancel_requested_at: null, ...(looks > 1 ? later : {}) } as Job;
  };
  return { find };
}

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

it.each([
  ['cancelled', { cancel_requested_at: '2026-01-01T00:00:00Z' }, 'job_cancelled'],
  ['failed by another hand, as when its execution is stopped', { status: 'failed' }, 'job_ended'],
] as const)('work ends when its job is %s', async (_, later, code) => {
  await expect(withCancellation(jobThatIs(later), 'job-1', untilAborted, 5)).rejects.toMatchObject({ code });
});

it('work of a job that has ended does not begin', async () => {
  const ended = { find: async () => ({ status: 'cancelled', cancel_requested_at: null }) as Job };
  let begun = false;
  const work = async () => {
    begun = true;
  };
  await expect(withCancellation(ended, 'job-1', work, 5)).rejects.toMatchObject({ code: 'job_ended' });
  expect(begun).toBe(false);
});

it('work goes on while nothing can be read of its job', async () => {
  let looks = 0;
  const find = async () => {
    looks += 1;
    if (looks > 1) throw new Error('DynamoDB is throttled');
    return { status: 'running', cancel_requested_at: null } as Job;
  };
  const work = async () => {
    while (looks < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    return 'done';
  };
  expect(await withCancellation({ find }, 'job-1', work, 5)).toBe('done');
});
