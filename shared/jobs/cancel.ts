import type { Job } from '../contract/schemas/job.ts';
import { OperationError } from '../errors.ts';
import { createJobStore } from '../state/jobs.ts';
import type { StateTable } from '../state/table.ts';
import { cancelJob } from './end.ts';

/**
 * Cancels a job: one that waits at once; one that runs is asked to end, and takes back what it has begun.
 *
 * @returns the job as it is now; its state says whether it has ended
 * @throws OperationError `unknown_job`, or `job_ended`
 */
export async function requestCancellation(table: StateTable, jobId: string): Promise<Job> {
  const jobs = createJobStore(table);
  await jobs.get(jobId);
  if (!(await cancelJob(table, jobId, ['queued'])) && !(await jobs.requestCancel(jobId))) {
    const { status } = await jobs.get(jobId);
    // Of two that cancel a waiting job at the same time, both have what they asked for.
    if (status !== 'cancelled') {
      throw new OperationError(
        'job_ended',
        `The job ${jobId} has ended already (${status})`,
        'There is nothing to cancel.',
      );
    }
  }
  return jobs.get(jobId);
}
