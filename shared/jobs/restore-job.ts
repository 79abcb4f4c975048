import type { RestoreSummary } from '../backup/restore/run-restore.ts';
import type { JobError, Progress } from '../contract/schemas/job.ts';
import { type DurableSteps, runAttempts } from './attempts.ts';
import type { RestoreEvent } from './events.ts';

/** What the job of a restore needs from the world; see functions/restore.ts. */
export interface RestoreJobDependencies {
  start(jobId: string): Promise<void>;
  report(jobId: string, progress: Progress): Promise<void>;
  restore(event: RestoreEvent, report: (progress: Progress) => Promise<void>): Promise<RestoreSummary>;
  succeed(jobId: string, outcome: { warnings: string[]; keptDatabase: string | null }): Promise<void>;
  fail(jobId: string, error: JobError): Promise<void>;
}

/** Warnings kept with a job: enough to act on, and far below the size limit of its record. */
const MAX_WARNINGS = 100;

/**
 * The durable job of one restore: each attempt builds the database anew and offers it only when it is whole.
 */
export async function runRestoreJob(
  event: RestoreEvent,
  steps: DurableSteps,
  dependencies: RestoreJobDependencies,
): Promise<{ job_id: string; status: 'succeeded' | 'failed' }> {
  await steps.step('start', () => dependencies.start(event.job_id));
  const outcome = await runAttempts(steps, 'restore', async () => {
    const { warnings, keptDatabase } = await dependencies.restore(event, (progress) =>
      dependencies.report(event.job_id, progress),
    );
    const more = warnings.length - MAX_WARNINGS;
    const kept = more > 0 ? [...warnings.slice(0, MAX_WARNINGS), `... and ${more} more of the kind`] : warnings;
    return { warnings: kept, keptDatabase };
  });
  await steps.step('record', () =>
    outcome.status === 'done'
      ? dependencies.succeed(event.job_id, outcome.result)
      : dependencies.fail(event.job_id, outcome.error),
  );
  return { job_id: event.job_id, status: outcome.status === 'done' ? 'succeeded' : 'failed' };
}
