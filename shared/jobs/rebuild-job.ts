import * as z from 'zod';
import type { RebuildReport } from '../backup/rebuild-catalog.ts';
import { databaseIdSchema } from '../configuration/runtime.ts';
import { type Job, type JobError, jobIdSchema, type NewJobError } from '../contract/schemas/job.ts';
import { newJobId } from '../state/ids.ts';
import { createJobStore } from '../state/jobs.ts';
import type { StateTable } from '../state/table.ts';
import { type DurableSteps, goOnAfresh, runAttempts } from './attempts.ts';
import { bookkeep } from './bookkeeping.ts';
import { CANCELLED } from './cancellation.ts';
import { launch, type StartFunction } from './start.ts';
import { startInTurn } from './turns.ts';

/** What starts the durable function that rebuilds the catalog. */
export const rebuildEventSchema = z.object({
  database: databaseIdSchema,
  /** Every database of which there are backups in the bucket; the job is then listed with `database`. */
  all: z.boolean().default(false),
  job_id: jobIdSchema,
});

export type RebuildEvent = z.output<typeof rebuildEventSchema>;

/**
 * Begins a job that lists again what is in the bucket.
 *
 * @throws OperationError `job_not_started` (the job is then marked as failed)
 */
export async function startRebuild(
  { table, startFunction }: { table: StateTable; startFunction: StartFunction<RebuildEvent> },
  { database, all, requestedBy }: { database: string; all: boolean; requestedBy: string },
): Promise<Job> {
  const job = await createJobStore(table).create({
    id: newJobId(),
    kind: 'rebuild',
    database,
    requested_by: requestedBy,
    backup_id: null,
    target_database: null,
  });
  const event: RebuildEvent = { database, all, job_id: job.id };
  return (await launch(table, startFunction, { job, event, replayed: false }, undefined)).job;
}

/** What the job needs from the world; see functions/rebuild-catalog.ts. */
export interface RebuildJobDependencies {
  /** @returns false when the job was cancelled before it began; null: it is not its turn yet */
  start(jobId: string): Promise<boolean | null>;
  rebuild(event: RebuildEvent): Promise<RebuildReport>;
  succeed(jobId: string, warnings: string[]): Promise<void>;
  fail(jobId: string, error: JobError): Promise<void>;
  cancelled(jobId: string): Promise<void>;
}

/** Invocations that one rebuild may take; each reads manifests for some minutes. */
const MAX_ROUNDS = 200;
/** Named one by one: enough to act on, and far below the size limit of a job's record. */
const MAX_NAMED = 100;

/** The durable job that rebuilds the catalog of one database or of all, over as many invocations as it takes. */
export async function runRebuildJob(
  event: RebuildEvent,
  steps: DurableSteps,
  dependencies: RebuildJobDependencies,
): Promise<{ job_id: string; status: 'succeeded' | 'failed' | 'cancelled' }> {
  const { job_id } = event;
  if (!(await startInTurn(steps, () => dependencies.start(job_id)))) return { job_id, status: 'cancelled' };
  let added = 0;
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const outcome = await runAttempts(steps, `rebuild-${round}`, async () => {
      const report = await dependencies.rebuild(event);
      // A step's result is small.
      const { unreadable } = report;
      return {
        ...report,
        added: report.added.length,
        unreadable: unreadable.slice(0, MAX_NAMED),
        bad: unreadable.length,
      };
    });
    if (outcome.status === 'failed') {
      const wasCancelled = outcome.error.code === CANCELLED;
      await bookkeep(steps, 'record', () =>
        wasCancelled ? dependencies.cancelled(job_id) : dependencies.fail(job_id, outcome.error),
      );
      return { job_id, status: wasCancelled ? 'cancelled' : 'failed' };
    }
    added += outcome.result.added;
    if (outcome.result.done) {
      const warnings = describe(outcome.result, added);
      await bookkeep(steps, 'record', () => dependencies.succeed(job_id, warnings));
      return { job_id, status: 'succeeded' };
    }
    await goOnAfresh(steps, `rebuild-afresh-${round}`);
  }
  const error: NewJobError = {
    code: 'time_exceeded',
    message: `The catalog was not complete after ${MAX_ROUNDS} invocations; ${added} backups were listed`,
    next_step: 'Start it again: it goes on.',
  };
  await bookkeep(steps, 'record', () => dependencies.fail(job_id, error));
  return { job_id, status: 'failed' };
}

function describe(
  {
    unreadable,
    bad,
    incomplete,
    listed,
    added: lately,
  }: { added: number; bad: number; unreadable: RebuildReport['unreadable']; incomplete: number; listed: number },
  added: number,
): string[] {
  return [
    `${added} backups were missing in the catalog and are listed now; ${listed + lately - added} were listed before`,
    ...(incomplete > 0 ? [`${incomplete} backups in the bucket were never complete and are not listed`] : []),
    ...unreadable.map(({ id, message }) => `${id} cannot be listed: ${message}`),
    ...(bad > unreadable.length ? [`... and ${bad - unreadable.length} more that cannot be listed`] : []),
  ];
}
