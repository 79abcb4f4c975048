import { randomUUID } from 'node:crypto';
import { LambdaServiceError } from '../lambda/errors.ts';
import type { Found } from '../lambda/service.ts';
import type { ErrorObject } from './model.ts';
import type { DurableDependencies } from './running.ts';
import { maximumPayloadBytes } from './validate.ts';

/** How an operation ends that waits for a function. */
export type ChainedEnd = {
  status: 'SUCCEEDED' | 'FAILED';
  outcome: { Result?: string; Error?: ErrorObject };
};

/**
 * Runs the function that an operation waits for.
 *
 * @param startDurable - starts an execution that is to end the operation
 * @returns null when the function is durable, and was started
 */
export async function invokeChained(
  { find, invoke }: Pick<DurableDependencies, 'find' | 'invoke'>,
  { functionName, payload }: { functionName: string; payload: string },
  startDurable: (found: Found) => unknown,
): Promise<ChainedEnd | null> {
  try {
    const found = find(functionName);
    if (found.definition.durable) {
      startDurable(found);
      return null;
    }
    const outcome = await invoke(found, payload, randomUUID());
    if (!outcome.ok) {
      const { errorType, errorMessage, trace = [] } = outcome.error;
      return failed({ ErrorType: errorType, ErrorMessage: errorMessage, StackTrace: [...trace] });
    }
    if (Buffer.byteLength(outcome.payload) <= maximumPayloadBytes) {
      return { status: 'SUCCEEDED', outcome: { Result: outcome.payload } };
    }
    return failed({
      ErrorType: 'Function.ResponseSizeTooLarge',
      ErrorMessage: `Response payload size exceeded maximum allowed payload size (${maximumPayloadBytes} bytes).`,
    });
  } catch (error) {
    const { message } = error instanceof Error ? error : new Error(String(error));
    return failed({
      ErrorType: error instanceof LambdaServiceError ? error.code : 'ServiceException',
      ErrorMessage: message,
    });
  }
}

const failed = (error: ErrorObject): ChainedEnd => ({ status: 'FAILED', outcome: { Error: error } });
