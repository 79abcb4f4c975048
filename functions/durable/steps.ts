import { type DurableContext, StepSemantics } from '@aws/durable-execution-sdk-js';
import type { DurableSteps } from '../../shared/jobs/attempts.ts';

/** Left of an invocation's time for ending the work: closing connections, removing what is unfinished, recording why. */
const CLOSING_TIME_MS = 30_000;

/** A durable context as a job sees it. Each step runs once; what is tried again is the job's decision. */
export function durableSteps(context: DurableContext): DurableSteps {
  return {
    step: (name, work) =>
      context.step(name, work, {
        semantics: StepSemantics.AtMostOncePerRetry,
        retryStrategy: () => ({ shouldRetry: false }),
      }),
    wait: (name, seconds) => context.wait(name, { seconds }),
  };
}

/** Aborts shortly before the invocation's time is over; half of it is kept for work when there is little. */
export function invocationSignal(context: DurableContext): AbortSignal {
  const left = context.lambdaContext.getRemainingTimeInMillis();
  return AbortSignal.timeout(Math.max(left - CLOSING_TIME_MS, left / 2));
}
