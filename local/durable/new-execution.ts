import { randomUUID } from 'node:crypto';
import { invalidParameter, LambdaServiceError } from '../lambda/errors.ts';
import type { Found } from '../lambda/service.ts';
import type { FunctionDefinition } from '../template/functions.ts';
import { executionEvent } from './history.ts';
import type { Execution, ExecutionStart, Operation } from './model.ts';

export type StartOptions = {
  name?: string | undefined;
  input: string;
  asynchronous: boolean;
  parent?: ExecutionStart['parent'];
};

/**
 * The execution that a start makes.
 *
 * @throws LambdaServiceError InvalidParameterValueException when the function is not durable
 */
export function newExecution({ definition, qualifier, version }: Found, options: StartOptions): Execution {
  const { durable } = definition;
  if (!durable) throw invalidParameter(`${definition.name} is not a durable function.`);
  const name = options.name ?? randomUUID();
  const id = randomUUID();
  const now = Date.now();
  const functionArn = `${definition.arn}:${version}`;
  const operation: Operation = {
    Id: id,
    Type: 'EXECUTION',
    Status: 'STARTED',
    StartTimestamp: now,
    Name: name,
    ExecutionDetails: { InputPayload: options.input },
  };
  const execution: Execution = {
    start: {
      arn: `${functionArn}/durable-execution/${name}/${id}`,
      id,
      name,
      functionArn,
      functionName: definition.name,
      qualifier,
      input: options.input,
      startedAt: now,
      timeoutAt: now + durable.executionTimeoutSeconds * 1000,
      retentionDays: durable.retentionDays,
      parent: options.parent ?? null,
      asynchronous: options.asynchronous,
    },
    operations: new Map([[id, operation]]),
    events: [],
    end: null,
  };
  execution.events.push(executionEvent(execution, now));
  return execution;
}

/**
 * The execution that an earlier start with the same name made, if there was one.
 *
 * @throws LambdaServiceError DurableExecutionAlreadyStartedException when that one had another input
 */
export function startedBefore(
  executions: Iterable<Execution>,
  definition: FunctionDefinition,
  { name, input }: StartOptions,
): Execution | undefined {
  if (name === undefined) return undefined;
  for (const execution of executions) {
    if (execution.start.name !== name || execution.start.functionName !== definition.name) continue;
    if (execution.start.input === input) return execution;
    throw new LambdaServiceError(
      409,
      'DurableExecutionAlreadyStartedException',
      `An execution named ${name} was started with another payload.`,
    );
  }
  return undefined;
}
