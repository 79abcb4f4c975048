import { UnfinishedRestore } from '../backup/restore/failure.ts';
import type { JobError, NewJobError } from '../contract/schemas/job.ts';
import { isRetryable } from '../core/errors/kinds.ts';
import { OperationError } from '../errors.ts';
import { redactText } from '../redaction/redact.ts';

/** What a durable execution offers to a job: steps that are recorded when they end, and waits that cost nothing. */
export interface DurableSteps {
  /**
   * Runs `work` once and records its result; after an interruption the recorded result is returned instead.
   *
   * @throws when the function was ended in the middle of the step
   */
  step<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
  wait(name: string, seconds: number): Promise<void>;
  /**
   * Does the work of a step, within it, between two records of the audit trail.
   *
   * @throws OperationError `audit_unavailable` when it must not begin
   */
  audited<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
}

/** Steps of a job that several functions work on. */
export interface DistributedSteps extends DurableSteps {
  /**
   * Has a function do something, and records its answer.
   *
   * @throws when the function was ended before it answered
   */
  invoke(name: string, functionArn: string, input: unknown): Promise<unknown>;
  /** Runs several sequences of steps at the same time, each to its end; none of them throws. */
  parallel<Result>(
    name: string,
    branches: readonly ((steps: DistributedSteps) => Promise<Result>)[],
  ): Promise<Result[]>;
}

export type Outcome<Result> =
  | { status: 'done'; result: Result }
  | {
      status: 'failed';
      error: JobError;
      /** What is kept of the work, and the next attempt goes on with. */
      kept?: string;
    };

const MAX_ATTEMPTS = 3;
const WAIT_SECONDS = [5, 20];
/**
 * How often work that goes on where it was may be ended by the time limit of an invocation. With that of 15 minutes it is five
 * days; with two operations each, it stays far below the 3,000 that Lambda allows for an execution.
 */
const MAX_ROUNDS = 500;

/** The error of a job as it is stored and shown. What is not meant for people is named by its kind only. */
export function toJobError(error: unknown): NewJobError {
  if (error instanceof OperationError) {
    return { code: error.code, message: redactText(error.message), next_step: redactText(error.nextStep) };
  }
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')) {
    return {
      code: 'time_exceeded',
      message: 'The work did not end within the time limit of one function invocation',
      next_step: 'Raise backups.connections, or try again when the server is less busy.',
    };
  }
  return {
    code: 'internal_error',
    message: `An unexpected failure: ${error instanceof Error ? redactText(`${error.name}: ${error.message}`) : 'unknown'}`,
    next_step: "Look in the function's log for the job's id.",
  };
}

function toFailure(error: unknown): Outcome<never> {
  return error instanceof UnfinishedRestore
    ? { status: 'failed', error: toJobError(error.cause), kept: error.staging }
    : { status: 'failed', error: toJobError(error) };
}

/** Of work in whose middle the function was ended. */
export const FUNCTION_ENDED: NewJobError = {
  code: 'function_ended',
  message: 'The function was ended in the middle of its work: by its time limit, its memory limit, or the service',
  next_step: "Look in the function's log; raise its memory, or backups.connections.",
};

/** Runs one step and records how it ended, as a result. */
export async function runStep<Result>(
  steps: DurableSteps,
  name: string,
  work: () => Promise<Result>,
): Promise<Outcome<Result>> {
  try {
    return await steps.step(name, async (): Promise<Outcome<Result>> => {
      try {
        return { status: 'done', result: await steps.audited(name, work) };
      } catch (error) {
        return toFailure(error);
      }
    });
  } catch {
    return { status: 'failed', error: FUNCTION_ENDED };
  }
}

/**
 * Goes on in an invocation of its own, which has all of its time: a wait ends this one, in whose rest nothing would get done but
 * be cut off by its end.
 */
export const goOnAfresh = (steps: Pick<DurableSteps, 'wait'>, name: string): Promise<void> => steps.wait(name, 1);

/**
 * Tries something again after a passing cause, three times at most. Work that keeps what it has done is not counted when only its
 * time was over.
 *
 * @param attempt - gets its number, from 1
 * @param mayPass - says after which causes
 */
export async function repeatAttempts<Result>(
  steps: DurableSteps,
  name: string,
  attempt: (number: number) => Promise<Outcome<Result>>,
  mayPass: (error: JobError) => boolean = (error) => isRetryable(error),
): Promise<Outcome<Result>> {
  let counted = 0;
  let kept: string | undefined;
  for (let number = 1; ; number++) {
    let outcome = await attempt(number);
    if (outcome.status === 'done') return outcome;
    // An attempt that did not come so far as to look has changed nothing about what an earlier one has kept.
    if (outcome.kept === undefined && kept !== undefined && mayPass(outcome.error)) outcome = { ...outcome, kept };
    kept = outcome.kept;
    if (outcome.kept && outcome.error.code === 'time_exceeded' && number < MAX_ROUNDS) {
      await goOnAfresh(steps, `${name}-afresh-${number}`);
      continue;
    }
    counted += 1;
    if (counted === MAX_ATTEMPTS || !mayPass(outcome.error)) return outcome;
    await steps.wait(`${name}-wait-${number}`, WAIT_SECONDS[counted - 1] ?? 20);
  }
}

/**
 * Runs one piece of a durable job, again as {@link repeatAttempts} does.
 *
 * @param work - gets the number of the attempt, from 1; cleans up after itself when it fails
 */
export function runAttempts<Result>(
  steps: DurableSteps,
  name: string,
  work: (attempt: number) => Promise<Result>,
): Promise<Outcome<Result>> {
  return repeatAttempts(steps, name, (attempt) => runStep(steps, `${name}-${attempt}`, () => work(attempt)));
}
