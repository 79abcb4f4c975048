import * as z from 'zod';
import { jobIdSchema, type NewJobError } from '../contract/schemas/job.ts';
import { type Claim, findClaimedJob } from '../state/begin.ts';
import type { StateTable } from '../state/table.ts';
import { failJob } from './end.ts';

/** Lambda's event "Durable Execution Status Change", as far as it is read here. */
const executionEventSchema = z.object({
  detail: z.object({
    durableExecutionArn: z.string(),
    durableExecutionName: z.string(),
    status: z.enum(['FAILED', 'TIMED_OUT', 'STOPPED']),
  }),
});

const errors: Record<z.output<typeof executionEventSchema>['detail']['status'], NewJobError> = {
  FAILED: {
    code: 'execution_failed',
    message: "The job's function ended with an error before it could record the outcome",
    next_step: "Look in the function's log for the job's id, then start it again.",
  },
  TIMED_OUT: {
    code: 'execution_timed_out',
    message: 'The job did not end within the time that its durable execution may take',
    next_step: 'Raise the execution time-out, or backups.connections.',
  },
  STOPPED: {
    code: 'execution_stopped',
    message: "The job's durable execution was stopped",
    next_step: 'Start the job again if that was not intended.',
  },
};

/** A durable execution may take up to a year. */
const YEAR_SECONDS = 366 * 86_400;

/**
 * The claim under which an execution that a schedule started registers its job: a repeated start of the same execution finds
 * the job it made, and so does its end.
 */
export function executionClaim(durableExecutionArn: string): Claim {
  return { scope: 'execution', key: durableExecutionArn, request: '', seconds: YEAR_SECONDS };
}

/**
 * Marks the job of a durable execution that ended badly as failed, unless it has said itself how it ended.
 *
 * @returns the job, and whether it was changed; null for an execution that has no job
 * @throws ZodError when the event is of another kind
 */
export async function recordExecutionEnd(
  table: StateTable,
  event: unknown,
): Promise<{ jobId: string; changed: boolean } | null> {
  const { durableExecutionArn: arn, durableExecutionName: name, status } = executionEventSchema.parse(event).detail;
  // An execution that the API started has the job's id as its name.
  const jobId = jobIdSchema.safeParse(name).data ?? (await findClaimedJob(table, executionClaim(arn)));
  return jobId === null ? null : { jobId, changed: await failJob(table, jobId, errors[status]) };
}
