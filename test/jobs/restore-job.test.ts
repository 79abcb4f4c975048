import { expect, it } from 'vitest';
import { UnfinishedRestore } from '../../shared/backup/restore/failure.ts';
import type { JobError, Unfinished } from '../../shared/contract/schemas/job.ts';
import { OperationError } from '../../shared/errors.ts';
import type { DurableSteps } from '../../shared/jobs/attempts.ts';
import { restoreEventSchema } from '../../shared/jobs/events.ts';
import { runRestoreJob } from '../../shared/jobs/restore-job.ts';
import { newBackupId, newJobId } from '../../shared/state/ids.ts';

const steps: DurableSteps = { step: (_, work) => work(), audited: (_, work) => work(), wait: async () => undefined };
const refused = new OperationError('rows_refused', 'The server refused rows', 'Mend the cause.');
const cancelled = new OperationError('job_cancelled', 'The job was cancelled', 'Start a new one.');
const lost = new OperationError('database_unreachable', 'No connection', 'Check it.');

/** Runs a job that restores rows and fails; `takeBack` answers or throws one after the other, the last one ever after. */
async function fail(error: Error, takeBack: (string[] | Error)[]) {
  const ends: { state: string; error?: JobError; unfinished?: Unfinished | null }[] = [];
  let tries = 0;
  const event = restoreEventSchema.parse({
    database: 'shop',
    backup_id: newBackupId(),
    target_database: 'live',
    mode: 'data',
    requested_by: 'alice',
    job_id: newJobId(),
  });
  await runRestoreJob(event, steps, {
    start: async () => true,
    report: async () => undefined,
    restore: () => Promise.reject(error),
    takeBack: async () => {
      const answer = takeBack[Math.min(tries++, takeBack.length - 1)] ?? [];
      if (answer instanceof Error) throw answer;
      return answer;
    },
    succeed: async () => {
      ends.push({ state: 'succeeded' });
    },
    fail: async (_, reason, unfinished) => {
      ends.push({ state: 'failed', error: reason, unfinished });
    },
    cancelled: async () => {
      ends.push({ state: 'cancelled' });
    },
  });
  return { end: ends[0], tries };
}

it('takes rows back when a restore fails for good, and leaves nothing to resume', async () => {
  const { end, tries } = await fail(new UnfinishedRestore(refused, 'live'), [[]]);
  expect(end).toMatchObject({ state: 'failed', error: { code: 'rows_refused' }, unfinished: null });
  expect(tries).toBe(1);
});

it('takes rows back also when it is cancelled', async () => {
  expect(await fail(cancelled, [[]])).toEqual({ end: { state: 'cancelled' }, tries: 1 });
});

it('tries that again while the server is out of reach', async () => {
  const { end, tries } = await fail(refused, [lost, lost, []]);
  expect(end).toMatchObject({ error: { code: 'rows_refused' }, unfinished: null });
  expect(tries).toBe(3);
});

it.each([
  [refused, [['the rows of a.b stay']], 'the rows of a.b stay'],
  [cancelled, [['the rows of a.b stay']], 'the rows of a.b stay'],
  [refused, [lost], 'No connection'],
])('says what is left, and keeps it to be discarded: %s %j', async (error, answers, reason) => {
  const { end } = await fail(error, answers);
  expect(end).toMatchObject({ state: 'failed', error: { code: 'rows_left' }, unfinished: { database: 'live' } });
  expect(end?.error?.message).toContain(error.message);
  expect(end?.error?.message).toContain(reason);
});
