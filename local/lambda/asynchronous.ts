import type { AsyncConfig, FunctionDefinition } from '../template/functions.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { Outcome } from './instance.ts';

export type AsynchronousOptions = {
  readonly invoke: (functionName: string, qualifier: string, payload: string) => Promise<Outcome>;
  readonly configOf: (functionName: string, qualifier: string) => AsyncConfig | undefined;
  readonly deadLetters: DeadLetters;
  /** Seconds before the first and the second repetition; Lambda waits one and two minutes. */
  readonly retryDelaysSeconds?: readonly number[];
};

/** Lambda's queue of asynchronous invocations: each is repeated twice when it fails, then sent where the function says. */
export type AsynchronousQueue = {
  readonly submit: (definition: FunctionDefinition, qualifier: string, payload: string) => void;
  /** Forgets what has not run yet. */
  readonly close: () => void;
};

export function createAsynchronousQueue({
  invoke,
  configOf,
  deadLetters,
  retryDelaysSeconds = [60, 120],
}: AsynchronousOptions): AsynchronousQueue {
  const timers = new Set<NodeJS.Timeout>();
  let closed = false;

  async function attempt(
    definition: FunctionDefinition,
    qualifier: string,
    payload: string,
    number: number,
  ): Promise<void> {
    const outcome = await attempted(() => invoke(definition.name, qualifier, payload)).catch(
      (error: unknown): Outcome => ({
        ok: false,
        error: { errorType: 'ServiceException', errorMessage: error instanceof Error ? error.message : String(error) },
      }),
    );
    if (closed || outcome.ok) return;
    const config = configOf(definition.name, qualifier);
    if (number < (config?.maximumRetries ?? 2)) {
      const timer = setTimeout(
        () => {
          timers.delete(timer);
          void attempt(definition, qualifier, payload, number + 1);
        },
        (retryDelaysSeconds[number] ?? retryDelaysSeconds.at(-1) ?? 0) * 1000,
      );
      timers.add(timer);
      return;
    }
    const { errorType, errorMessage } = outcome.error;
    for (const target of [definition.deadLetterArn, config?.onFailure]) {
      if (target != null) deadLetters(target, { functionArn: definition.arn, payload, errorType, errorMessage });
    }
  }

  return {
    submit: (definition, qualifier, payload) => {
      if (!closed) void attempt(definition, qualifier, payload, 0);
    },
    close: () => {
      closed = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** What is thrown at once, when there is no such function any more, is an answer as well. */
const attempted = async (run: () => Promise<Outcome>): Promise<Outcome> => run();
