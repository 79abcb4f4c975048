import { KEPT_DAYS } from '../backup/restore/restore-record.ts';
import { rowsLeft } from '../backup/restore/rows/restore-rows.ts';
import type { RestoreSummary } from '../backup/restore/run-restore.ts';
import { stagingName } from '../backup/restore/target-database.ts';
import type { JobError, Progress, Unfinished } from '../contract/schemas/job.ts';
import { DAY_MS } from '../time.ts';
import { type DurableSteps, runAttempts, toJobError } from './attempts.ts';
import { bookkeep } from './bookkeeping.ts';
import { CANCELLED } from './cancellation.ts';
import type { RestoreEvent } from './events.ts';
import { keepWarnings } from './keep-warnings.ts';
import { startInTurn } from './turns.ts';

/** What the job of a restore needs from the world; see functions/restore.ts. */
export interface RestoreJobDependencies {
  /** @returns false when the job was cancelled before it began; null: it is not its turn yet */
  start(jobId: string): Promise<boolean | null>;
  report(jobId: string, progress: Progress): Promise<void>;
  restore(event: RestoreEvent, report: (progress: Progress) => Promise<void>): Promise<RestoreSummary>;
  /** Takes back what a restore has loaded into tables that were there. @returns in words, what had to stay */
  takeBack(event: RestoreEvent): Promise<string[]>;
  succeed(jobId: string, outcome: { warnings: string[]; keptDatabase: string | null }): Promise<void>;
  fail(jobId: string, error: JobError, unfinished: Unfinished | null): Promise<void>;
  cancelled(jobId: string): Promise<void>;
}

/**
 * The durable job of one restore: each attempt goes on with the database of the one before, and it is offered only when it is
 * whole. What the last attempt leaves unfinished after a passing cause is kept for a while, and can be resumed; rows in tables that
 * were there are taken back.
 */
export async function runRestoreJob(
  event: RestoreEvent,
  steps: DurableSteps,
  dependencies: RestoreJobDependencies,
): Promise<{ job_id: string; status: 'succeeded' | 'failed' | 'cancelled' }> {
  const { job_id } = event;
  if (!(await startInTurn(steps, () => dependencies.start(job_id)))) return { job_id, status: 'cancelled' };
  const outcome = await runAttempts(steps, 'restore', async () => {
    const { warnings, keptDatabase } = await dependencies.restore(event, (progress) =>
      dependencies.report(job_id, progress),
    );
    return { warnings: keepWarnings(warnings), keptDatabase };
  });
  if (outcome.status === 'done') {
    await bookkeep(steps, 'record', () => dependencies.succeed(job_id, outcome.result));
    return { job_id, status: 'succeeded' };
  }
  const { kept } = outcome;
  let { error } = outcome;
  let unfinished = kept ?? null;
  if (event.mode === 'data') {
    const failure = await takeBack(event, error, steps, dependencies);
    unfinished = failure === null ? null : event.target_database;
    error = failure ?? error;
  } else if (error.code === 'function_ended') {
    // A function that was ended could not say what it left; a resumed restore finds out.
    unfinished ??= stagingName(event.resumes ?? job_id);
  }
  if (error.code === CANCELLED) {
    await bookkeep(steps, 'record', () => dependencies.cancelled(job_id));
    return { job_id, status: 'cancelled' };
  }
  await bookkeep(steps, 'record', () =>
    dependencies.fail(job_id, error, unfinished === null ? null : keptFor(unfinished)),
  );
  return { job_id, status: 'failed' };
}

/** @returns why the job fails in place of `error`; null when nothing of it is left */
async function takeBack(
  event: RestoreEvent,
  error: JobError,
  steps: DurableSteps,
  dependencies: RestoreJobDependencies,
): Promise<JobError | null> {
  const outcome = await runAttempts(steps, 'take-back', () => dependencies.takeBack(event));
  const left = outcome.status === 'done' ? outcome.result : [outcome.error.message];
  return left.length === 0 ? null : toJobError(rowsLeft(left, error.message));
}

function keptFor(database: string): Unfinished {
  return { database, kept_until: new Date(Date.now() + KEPT_DAYS * DAY_MS).toISOString(), resumed_by: null };
}
