import { UnfinishedRestore } from '../backup/restore/run-restore.ts';
import type { JobError } from '../contract/schemas/job.ts';
import { OperationError } from '../errors.ts';

/** What a durable execution offers to a job: steps that are recorded when they end, and waits that cost nothing. */
export interface DurableSteps {
  /**
   * Runs `work` once and records its result; after an interruption the recorded result is returned instead.
   *
   * @throws when the function was ended in the middle of the step
   */
  step<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
  wait(name: string, seconds: number): Promise<void>;
}

export type Outcome<Result> =
  | { status: 'done'; result: Result }
  | {
      status: 'failed';
      error: JobError;
      /** What is kept of the work, and the next attempt goes on with. */
      kept?: string;
    };

/** Causes that may be gone a little later. Everything else fails at once: trying again would only hide it. */
const PASSING = new Set([
  'connection_lost',
  'snapshot_lost',
  'database_unreachable',
  'store_failed',
  'key_unavailable',
  'table_changed',
  'function_ended',
]);

const MAX_ATTEMPTS = 3;
const WAIT_SECONDS = [5, 20];
/**
 * How often work that goes on where it was may be ended by the time limit of an invocation. With that of 15 minutes it is five
 * days; with one operation each, it stays far below the 3,000 that Lambda allows for an execution.
 */
const MAX_ROUNDS = 500;

/** The error of a job as it is stored and shown. What is not meant for people is named by its kind only. */
export function toJobError(error: unknown): JobError {
  if (error instanceof OperationError) return { code: error.code, message: error.message, next_step: error.nextStep };
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')) {
    return {
      code: 'time_exceeded',
      message: 'The work did not end within the time limit of one function invocation',
      next_step: 'Raise backups.connections, or try again when the server is less busy.',
    };
  }
  return {
    code: 'internal_error',
    message: `An unexpected failure: ${error instanceof Error ? `${error.name}: ${error.message}` : 'unknown'}`,
    next_step: "Look in the function's log for the job's id.",
  };
}

function toFailure(error: unknown): Outcome<never> {
  return error instanceof UnfinishedRestore
    ? { status: 'failed', error: toJobError(error.cause), kept: error.staging }
    : { status: 'failed', error: toJobError(error) };
}

/**
 * Runs one piece of a durable job, again after a passing cause, three times at most. Work that keeps what it has done is not
 * counted when only its time was over.
 *
 * @param work - gets the number of the attempt, from 1; cleans up after itself when it fails
 */
export async function runAttempts<Result>(
  steps: DurableSteps,
  name: string,
  work: (attempt: number) => Promise<Result>,
): Promise<Outcome<Result>> {
  let counted = 0;
  let kept: string | undefined;
  for (let attempt = 1; ; attempt++) {
    let outcome: Outcome<Result>;
    try {
      outcome = await steps.step(`${name}-${attempt}`, async (): Promise<Outcome<Result>> => {
        try {
          return { status: 'done', result: await work(attempt) };
        } catch (error) {
          return toFailure(error);
        }
      });
    } catch {
      outcome = {
        status: 'failed',
        error: {
          code: 'function_ended',
          message:
            'The function was ended in the middle of its work: by its time limit, its memory limit, or the service',
          next_step: "Look in the function's log; raise its memory, or backups.connections.",
        },
      };
    }
    if (outcome.status === 'done') return outcome;
    // An attempt that did not come so far as to look has changed nothing about what an earlier one has kept.
    if (outcome.kept === undefined && kept !== undefined && PASSING.has(outcome.error.code))
      outcome = { ...outcome, kept };
    kept = outcome.kept;
    if (outcome.kept && outcome.error.code === 'time_exceeded' && attempt < MAX_ROUNDS) continue;
    counted += 1;
    if (counted === MAX_ATTEMPTS || !PASSING.has(outcome.error.code)) return outcome;
    await steps.wait(`${name}-wait-${attempt}`, WAIT_SECONDS[counted - 1] ?? 20);
  }
}
