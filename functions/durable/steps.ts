import { type DurableContext, NestingType, StepSemantics } from '@aws/durable-execution-sdk-js';
import type { DistributedSteps, DurableSteps } from '../../shared/jobs/attempts.ts';

/** Left of an invocation's time for ending the work: closing connections, removing what is unfinished, recording why. */
const CLOSING_TIME_MS = 30_000;

/** A durable context as a job sees it. Each step runs once; what is tried again is the job's decision. */
export function durableSteps(context: DurableContext, audited: DurableSteps['audited']): DurableSteps {
  return {
    audited,
    step: (name, work) =>
      context.step(name, work, {
        semantics: StepSemantics.AtMostOncePerRetry,
        retryStrategy: () => ({ shouldRetry: false }),
      }),
    wait: (name, seconds) => context.wait(name, { seconds }),
  };
}

/** The same for a job that several functions work on. */
export function distributedSteps(context: DurableContext, audited: DurableSteps['audited']): DistributedSteps {
  return {
    ...durableSteps(context, audited),
    invoke: (name, functionArn, input) => context.invoke<unknown, unknown>(name, functionArn, input),
    parallel: async (name, branches) => {
      const batch = await context.parallel(
        name,
        branches.map((branch) => (inner: DurableContext) => branch(distributedSteps(inner, audited))),
        // Without operations of their own for the branches: an execution may have 3,000 in all.
        { nesting: NestingType.FLAT },
      );
      batch.throwIfError();
      return batch.getResults();
    },
  };
}

/** Milliseconds of the invocation that are for work; half of it when there is little. */
export function workTime({ lambdaContext }: DurableContext): number {
  const left = lambdaContext.getRemainingTimeInMillis();
  return Math.floor(Math.max(left - CLOSING_TIME_MS, left / 2));
}

/** Aborts shortly before the invocation's time is over. */
export function invocationSignal(context: DurableContext): AbortSignal {
  return AbortSignal.timeout(workTime(context));
}
