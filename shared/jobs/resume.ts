import type { Job } from '../contract/schemas/job.ts';
import { OperationError } from '../errors.ts';
import { beginRestore, type Claim, findEvent } from '../state/begin.ts';
import { newJobId } from '../state/ids.ts';
import { createJobStore, queuedJob } from '../state/jobs.ts';
import type { StateTable } from '../state/table.ts';
import { type RestoreEvent, restoreEventSchema } from './events.ts';
import { launch, type Started, type StartFunction } from './start.ts';

/** @throws OperationError `not_resumable`, saying why */
export function assertUnfinished(job: Job): asserts job is Job & { unfinished: NonNullable<Job['unfinished']> } {
  const refuse = (why: string): OperationError =>
    new OperationError('not_resumable', `The job ${job.id} ${why}`, 'Start a new restore.');
  if (job.kind !== 'restore') throw refuse('is no restore');
  if (job.status !== 'failed') throw refuse(`has not failed; it is ${job.status}`);
  if (!job.unfinished) throw refuse('has left nothing to go on with');
  if (job.unfinished.resumed_by) throw refuse(`is resumed by ${job.unfinished.resumed_by}`);
}

/**
 * Begins a job that goes on with what a failed restore has done, with the same options.
 *
 * @throws OperationError `unknown_job`, `not_resumable`, and as `startRestore`
 */
export async function resumeRestore(
  { table, startFunction }: { table: StateTable; startFunction: StartFunction<RestoreEvent> },
  { jobId, requestedBy, claim }: { jobId: string; requestedBy: string; claim?: Claim | undefined },
): Promise<Started> {
  const failed = await createJobStore(table).get(jobId);
  const first = restoreEventSchema.safeParse(await findEvent(table, jobId)).data;
  if (!first) throw new OperationError('not_resumable', `The job ${jobId} is no restore`, 'Start a new restore.');
  const id = newJobId();
  const { database, backup_id, target_database, environment } = failed;
  const shared = { database, backup_id, target_database, environment };
  const beginning = {
    job: queuedJob({ ...shared, id, kind: 'restore', requested_by: requestedBy, resumes: jobId }),
    event: {
      ...first,
      job_id: id,
      requested_by: requestedBy,
      resumes: first.resumes ?? jobId,
    } satisfies RestoreEvent,
    claim,
    // Checked here as well: the answer to a repeated request is its first job, whatever became of the failed one.
    check: () => assertUnfinished(failed),
  };
  return launch(table, startFunction, await beginRestore<RestoreEvent>(table, beginning), claim);
}
