import { expect, it } from 'vitest';
import { UnfinishedRestore } from '../../shared/backup/restore/failure.ts';
import { OperationError } from '../../shared/errors.ts';
import { runAttempts, toJobError } from '../../shared/jobs/attempts.ts';
import { loggedSteps } from './support/logged-steps.ts';

const lost = () => new OperationError('connection_lost', 'The server ended the connection', 'Try again.');

it('tries again after a passing cause, waiting longer each time, and succeeds', async () => {
  const run = loggedSteps();
  const outcome = await runAttempts(run, 'backup', async (attempt) => {
    if (attempt < 3) throw lost();
    return attempt;
  });
  expect(outcome).toEqual({ status: 'done', result: 3 });
  expect(run.log).toEqual(['backup-1', 'backup-wait-1 5', 'backup-2', 'backup-wait-2 20', 'backup-3']);
});

it('gives up after three attempts with the cause of the last', async () => {
  const run = loggedSteps();
  const outcome = await runAttempts(run, 'backup', async () => {
    throw lost();
  });
  expect(outcome).toMatchObject({ status: 'failed', error: { code: 'connection_lost' } });
  expect(run.log.filter((name) => !name.includes('wait'))).toHaveLength(3);
});

it('does not try again what would fail again', async () => {
  const run = loggedSteps();
  const outcome = await runAttempts(run, 'backup', async () => {
    throw new OperationError('secret_unreadable', 'The password is wrong', 'Correct the secret.');
  });
  expect(outcome).toMatchObject({
    status: 'failed',
    error: { code: 'secret_unreadable', next_step: 'Correct the secret.' },
  });
  expect(run.log).toEqual(['backup-1']);
});

it('counts an attempt in whose middle the function was ended, and says so when it was the last', async () => {
  const run = loggedSteps(['backup-1', 'backup-2', 'backup-3']);
  const outcome = await runAttempts(run, 'backup', async () => 'never seen');
  expect(outcome).toMatchObject({ status: 'failed', error: { code: 'function_ended' } });
  expect(run.log).toContain('backup-3');
});

it('goes on in a new invocation when the time of one is over, as often as it takes', async () => {
  const run = loggedSteps();
  const late = new UnfinishedRestore(new DOMException('late', 'TimeoutError'), 'dbms_restoring_job');
  const outcome = await runAttempts(run, 'restore', async (attempt) => {
    if (attempt < 5) throw late;
    return attempt;
  });
  expect(outcome).toEqual({ status: 'done', result: 5 });
  const before = [1, 2, 3, 4].flatMap((number) => [`restore-${number}`, `restore-afresh-${number} 1`]);
  expect(run.log).toEqual([...before, 'restore-5']);
});

it('keeps what an earlier attempt has kept when a later one gets nowhere, and not when it was removed', async () => {
  const failWith = (errors: readonly Error[]) =>
    runAttempts(loggedSteps(), 'restore', async (attempt) => {
      throw errors[attempt - 1];
    });
  const unreachable = new OperationError('database_unreachable', 'No connection', 'Try again.');
  const full = new OperationError('disk_full', 'No space left', 'Add some.');
  const unfinished = new UnfinishedRestore(lost(), 'dbms_restoring_job');
  expect(await failWith([unfinished, unreachable, unreachable])).toMatchObject({
    error: { code: 'database_unreachable' },
    kept: 'dbms_restoring_job',
  });
  expect(await failWith([unfinished, full])).not.toHaveProperty('kept');
});

it('names an unexpected error by its kind, and a time limit as one', () => {
  expect(toJobError(new TypeError('x is not a function'))).toMatchObject({ code: 'internal_error' });
  expect(toJobError(AbortSignal.timeout(0).reason ?? new DOMException('late', 'TimeoutError'))).toMatchObject({
    code: 'time_exceeded',
  });
});
