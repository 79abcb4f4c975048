import { OperationError } from '../errors.ts';
import { isEnded, type JobStore } from '../state/jobs.ts';

/** How long a running job may take to notice that it is to end. */
const WATCH_MS = 2000;

export const CANCELLED = 'job_cancelled';

function cancelled(jobId: string): OperationError {
  return new OperationError(
    CANCELLED,
    `The job ${jobId} was cancelled`,
    'Start a new one when it is wanted after all.',
  );
}

/** Its durable execution was stopped, say, and its functions do not know yet. */
function ended(jobId: string): OperationError {
  return new OperationError('job_ended', `The job ${jobId} has ended already`, 'Start a new one.');
}

/**
 * Runs the work of a job under a signal that is aborted when somebody cancels the job, or it ends otherwise. A look at the job that fails is made
 * again: it must not end the work.
 *
 * @throws OperationError `job_cancelled` or `job_ended`, also before the work begins; or what the work throws
 */
export async function withCancellation<Result>(
  jobs: Pick<JobStore, 'find'>,
  jobId: string,
  work: (signal: AbortSignal) => Promise<Result>,
  intervalMs = WATCH_MS,
): Promise<Result> {
  const stop = new AbortController();
  const look = async (): Promise<void> => {
    const job = await jobs.find(jobId);
    if (job?.cancel_requested_at) stop.abort(cancelled(jobId));
    else if (job && isEnded(job)) stop.abort(ended(jobId));
  };
  await look();
  stop.signal.throwIfAborted();
  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    looking ??= look()
      .catch(() => undefined)
      .finally(() => {
        looking = undefined;
      });
  }, intervalMs);
  try {
    return await work(stop.signal);
  } finally {
    clearInterval(timer);
    await looking;
  }
}
