import type { Outcome } from '../lambda/instance.ts';
import type { Found } from '../lambda/service.ts';
import type { Execution, ExecutionEnd, Operation } from './model.ts';
import type { ExecutionStore } from './store.ts';

export type DurableDependencies = {
  readonly store: ExecutionStore;
  /** Runs one invocation of a function. */
  readonly invoke: (found: Found, payload: string, requestId: string) => Promise<Outcome>;
  /** Finds a function by name or ARN. @throws LambdaServiceError when there is none, or a durable one is not qualified. */
  readonly find: (nameOrArn: string) => Found;
  /** Told of every start and end of an execution. */
  readonly statusChanged: (execution: Execution) => void;
  /** Told of what went wrong where no caller hears of it. */
  readonly failed: (error: unknown) => void;
  /** Invocations that may fail in a row without any progress before the execution fails. */
  readonly maximumFailures?: number;
  /** Before the first repetition of a failed invocation; doubled for each further one. */
  readonly retryMilliseconds?: number;
  /** How much of its time a wait takes; by default all of it. Less is for tests, which would wait for nothing. */
  readonly waitShare?: number;
};

/** What a checkpoint is answered with. */
export type CheckpointAnswer = { token: string; operations: readonly Operation[] };

/** An execution, and what is known of it only while the system runs. */
export type Running = {
  readonly execution: Execution;
  /** Valid for the next checkpoint; null while no invocation runs. */
  token: string | null;
  last: { clientToken: string; answer: CheckpointAnswer } | null;
  /** Operations that something other than the function changed, and the function has not been told of. */
  readonly changed: Set<string>;
  invoking: boolean;
  /** Operations that ended, counted to tell an invocation that got somewhere from one that did not. */
  progress: number;
  timer: NodeJS.Timeout | undefined;
  readonly waiters: ((end: ExecutionEnd) => void)[];
};

/** What the parts of the service share. */
export type Held = {
  readonly dependencies: DurableDependencies;
  /** By their ARNs. */
  readonly executions: Map<string, Running>;
  /** Aborted when the system stops. */
  readonly closing: AbortSignal;
};

export function runningOf(execution: Execution): Running {
  return {
    execution,
    token: null,
    last: null,
    changed: new Set(),
    invoking: false,
    progress: 0,
    timer: undefined,
    waiters: [],
  };
}
