import { randomBytes, randomUUID } from 'node:crypto';
import { LambdaServiceError } from '../lambda/errors.ts';
import type { Outcome } from '../lambda/instance.ts';
import { invocationEvent } from './history.ts';
import {
  type ErrorObject,
  type Execution,
  type ExecutionStart,
  finalStatuses,
  type Operation,
  replayedOperations,
  wireOperation,
} from './model.ts';
import type { DurableDependencies, Held, Running } from './running.ts';

const pageBytes = 4_000_000;

/** Invokes the function once with what it needs to go on, and keeps that in the history. */
export async function invokeOnce(running: Running, { dependencies, closing }: Held): Promise<Outcome> {
  const { execution, changed } = running;
  const { start } = execution;
  const requestId = randomUUID();
  const started = Date.now();
  running.token = newToken(requestId);
  running.last = null;
  const { operations, marker } = pageOf(execution, 0);
  const payload = JSON.stringify({
    DurableExecutionArn: start.arn,
    CheckpointToken: running.token,
    UpdatedOperationIds: [...changed],
    InitialExecutionState: {
      Operations: operations.map((operation) => wireOperation(operation, (time) => new Date(time).toISOString())),
      ...(marker === null ? {} : { NextMarker: marker }),
    },
  });
  changed.clear();
  const outcome = await tryInvoke(dependencies, start, payload, requestId);
  if (closing.aborted) return outcome;
  const error = outcome.ok ? null : { ErrorType: outcome.error.errorType, ErrorMessage: outcome.error.errorMessage };
  const event = invocationEvent(execution, requestId, started, Date.now(), error);
  execution.events.push(event);
  dependencies.store.append(start.id, { events: [event] });
  return outcome;
}

async function tryInvoke(
  dependencies: DurableDependencies,
  { functionArn }: ExecutionStart,
  payload: string,
  requestId: string,
): Promise<Outcome> {
  try {
    // The version that it began with, whatever the alias stands for now.
    return await dependencies.invoke(dependencies.find(functionArn), payload, requestId);
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    return {
      ok: false,
      error: { errorType: error instanceof LambdaServiceError ? error.code : name, errorMessage: message },
    };
  }
}

/** What comes after an invocation: another one at once, a wait, or the end of the execution. */
export type Conclusion =
  | 'again'
  | 'wait'
  | { status: 'SUCCEEDED' | 'FAILED'; outcome: { Result?: string; Error?: ErrorObject } };

/** Reads the function's answer. */
export function conclude(running: Running, payload: string): Conclusion {
  const output = JSON.parse(payload) as { Status?: string; Result?: string; Error?: ErrorObject } | null;
  if (output?.Status === 'SUCCEEDED') {
    return { status: 'SUCCEEDED', outcome: output.Result === undefined ? {} : { Result: output.Result } };
  }
  if (output?.Status === 'FAILED') {
    return { status: 'FAILED', outcome: output.Error ? { Error: output.Error } : {} };
  }
  if (output?.Status !== 'PENDING') {
    return invalidOutput('Invalid Status in invocation output.');
  }
  const open = [...running.execution.operations.values()].filter(
    ({ Type, Status }) => Type !== 'EXECUTION' && Type !== 'CONTEXT' && !finalStatuses.has(Status),
  );
  if (running.changed.size > 0 || open.some(({ Status }) => Status === 'READY')) return 'again';
  if (!open.some((operation) => operation.Type !== 'STEP' || operation.Status === 'PENDING')) {
    return invalidOutput('Cannot return PENDING status with no pending operations.');
  }
  return 'wait';
}

const invalidOutput = (ErrorMessage: string): Conclusion => ({
  status: 'FAILED',
  outcome: { Error: { ErrorType: 'Lambda.InvalidOutput', ErrorMessage } },
});

/** A page of the operations that a replay needs. @param from index of the first. */
export function pageOf(
  execution: Execution,
  from: number,
  maximumItems = 1000,
): { operations: Operation[]; marker: string | null } {
  const all = replayedOperations(execution);
  const operations: Operation[] = [];
  let bytes = 0;
  for (const operation of all.slice(from, from + maximumItems)) {
    bytes += JSON.stringify(operation).length;
    if (bytes > pageBytes && operations.length > 0) break;
    operations.push(operation);
  }
  const next = from + operations.length;
  return { operations, marker: next < all.length ? String(next) : null };
}

/** A checkpoint's, valid for the next one alone. */
export const newToken = (requestId: string) =>
  Buffer.from(JSON.stringify({ requestId, token: randomBytes(12).toString('hex') })).toString('base64');
