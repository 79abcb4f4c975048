import { expect, it } from 'vitest';
import { OperationError } from '../../shared/errors.ts';
import { bookkeep } from '../../shared/jobs/bookkeeping.ts';
import { loggedSteps } from './support/logged-steps.ts';

it('writes at once when the table answers', async () => {
  const steps = loggedSteps();
  expect(await bookkeep(steps, 'record', async () => 'written')).toBe('written');
  expect(steps.log).toEqual(['record']);
});

it('tries again while the table does not answer, and when the function was ended in the middle', async () => {
  const steps = loggedSteps(['record-2']);
  let tries = 0;
  const write = async () => {
    tries += 1;
    if (tries === 1) throw new Error('throttled');
    return tries;
  };
  expect(await bookkeep(steps, 'record', write)).toBe(3);
  expect(steps.log).toEqual(['record', 'record-wait-1 2', 'record-2', 'record-wait-2 10', 'record-3']);
});

it('gives up at once when it is refused, and in the end when nothing helps', async () => {
  const refused = loggedSteps();
  const ended = new OperationError('job_ended', 'The job has ended already', 'Start a new one.');
  await expect(bookkeep(refused, 'start', () => Promise.reject(ended))).rejects.toThrow('The job has ended already');
  expect(refused.log).toEqual(['start']);

  const lasting = loggedSteps();
  await expect(bookkeep(lasting, 'record', () => Promise.reject(new Error('throttled')))).rejects.toThrow('throttled');
  const waited = lasting.log.flatMap((line) => Number(/-wait-\d+ (\d+)/.exec(line)?.[1] ?? 0));
  expect(waited.reduce((sum, seconds) => sum + seconds, 0)).toBeGreaterThanOrEqual(600);
});
