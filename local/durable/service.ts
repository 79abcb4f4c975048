import { invalidParameter, LambdaServiceError, notFound } from '../lambda/errors.ts';
import type { Found } from '../lambda/service.ts';
import { applyUpdate, finish } from './apply.ts';
import { invokeChained } from './chained-invoke.ts';
import { type Happening, historyEvent } from './history.ts';
import { newToken } from './invocation.ts';
import { createLifecycle } from './lifecycle.ts';
import {
  type ErrorObject,
  type Execution,
  type ExecutionEnd,
  finalStatuses,
  type HistoryEvent,
  type Operation,
  type OperationUpdate,
} from './model.ts';
import { newExecution, type StartOptions, startedBefore } from './new-execution.ts';
import { type CheckpointAnswer, type DurableDependencies, type Running, runningOf } from './running.ts';
import { validateUpdates } from './validate.ts';

/** The part of Lambda that keeps durable executions: their operations, timers, chained invocations and callbacks. */
export type DurableService = {
  /** Starts an execution, or finds the one that the same name and input started before. */
  readonly start: (found: Found, options: StartOptions) => Execution;
  readonly finished: (execution: Execution) => Promise<ExecutionEnd>;
  /** @throws LambdaServiceError when there is no such execution. */
  readonly find: (arn: string) => Execution;
  readonly all: () => readonly Execution[];
  /** Applies a checkpoint. @returns the next token and every operation that changed since the last one. */
  readonly checkpoint: (arn: string, request: CheckpointRequest) => CheckpointAnswer;
  readonly checkToken: (arn: string, token: string) => Execution;
  readonly stop: (arn: string, error: ErrorObject | null) => ExecutionEnd;
  readonly completeCallback: (
    callbackId: string,
    status: 'SUCCEEDED' | 'FAILED',
    outcome: { Result?: string; Error?: ErrorObject },
  ) => void;
  readonly heartbeat: (callbackId: string) => void;
  /** Goes on with every execution that had not ended when the system stopped. */
  readonly recover: () => void;
  readonly close: () => void;
};

export type CheckpointRequest = {
  token: string;
  clientToken?: string | undefined;
  updates: readonly OperationUpdate[];
};

export function createDurableService(dependencies: DurableDependencies): DurableService {
  const { store, waitShare = 1 } = dependencies;
  const executions = new Map<string, Running>();
  const closing = new AbortController();
  const { run, change, schedule, elapseDue, end, settleParent } = createLifecycle({
    dependencies,
    executions,
    closing: closing.signal,
  });

  function get(arn: string): Running {
    const running = executions.get(arn);
    if (!running) throw notFound(`Durable execution not found: ${arn}`);
    return running;
  }

  function start(found: Found, options: StartOptions): Execution {
    const known = startedBefore(all(), found.definition, options);
    if (known) return known;
    const execution = newExecution(found, options);
    const { start, operations, events } = execution;
    store.append(start.id, { start, operations: [...operations.values()], events });
    const running = runningOf(execution);
    executions.set(start.arn, running);
    dependencies.statusChanged(execution);
    schedule(running);
    void run(running);
    return execution;
  }

  function checkpoint(arn: string, request: CheckpointRequest): CheckpointAnswer {
    const running = get(arn);
    const { execution, changed, last } = running;
    if (last && request.clientToken !== undefined && last.clientToken === request.clientToken) return last.answer;
    checkToken(arn, request.token);
    const executionOperation = execution.start.id;
    // Whatever id it carries, an update of type EXECUTION means the execution itself.
    const updates = request.updates.map((update) =>
      update.Type === 'EXECUTION' ? { ...update, Id: executionOperation } : update,
    );
    validateUpdates(updates, execution.operations);
    const now = Date.now();
    const started: Operation[] = [];
    const events: HistoryEvent[] = [];
    for (const update of updates) {
      if (update.Type === 'EXECUTION') continue;
      const before = execution.operations.get(update.Id);
      const operation = applyUpdate(update, before, now, `${execution.start.id}.${update.Id}`, waitShare);
      execution.operations.set(operation.Id, operation);
      changed.add(operation.Id);
      if (finalStatuses.has(operation.Status) || update.Action === 'RETRY') running.progress += 1;
      if (operation.Type === 'CHAINED_INVOKE' && update.Action === 'START') started.push(operation);
      const happening: Happening = update.Action === 'RETRY' ? 'FAILED' : (operation.Status as Happening);
      const event = historyEvent(execution, operation, happening, now);
      execution.events.push(event);
      events.push(event);
    }
    const operations = [...changed]
      .map((id) => execution.operations.get(id))
      .filter((operation) => operation !== undefined);
    if (updates.length > 0) store.append(execution.start.id, { operations, events });
    changed.clear();
    const final = updates.find(({ Type }) => Type === 'EXECUTION');
    if (final) {
      end(running, final.Action === 'SUCCEED' ? 'SUCCEEDED' : 'FAILED', {
        ...(final.Payload == null ? {} : { Result: final.Payload }),
        ...(final.Error ? { Error: final.Error } : {}),
      });
    }
    for (const operation of started) goInto(running, operation).catch(dependencies.failed);
    schedule(running);
    running.token = newToken('');
    const answer = { token: running.token, operations };
    running.last = request.clientToken === undefined ? null : { clientToken: request.clientToken, answer };
    return answer;
  }

  function checkToken(arn: string, token: string): Execution {
    const { execution, token: valid } = get(arn);
    if (execution.end || valid === null || valid !== token) throw invalidParameter('Invalid Checkpoint Token');
    return execution;
  }

  /** Has a function do what an operation waits for. */
  async function goInto(running: Running, operation: Operation): Promise<void> {
    const invoked = operation.service?.invoke ?? { functionName: '', payload: 'null' };
    const parent = { executionId: running.execution.start.id, operationId: operation.Id };
    const ended = await invokeChained(dependencies, invoked, (found) =>
      start(found, { input: invoked.payload, asynchronous: false, parent }),
    );
    if (!ended || closing.signal.aborted) return;
    change(running, operation.Id, (current) => finish(current, ended.status, ended.outcome, Date.now()));
  }

  function callback(callbackId: string): { running: Running; operation: Operation } {
    const [executionId, operationId = ''] = callbackId.split('.');
    const running = [...executions.values()].find(({ execution }) => execution.start.id === executionId);
    const operation = running?.execution.operations.get(operationId);
    if (!running || operation?.Type !== 'CALLBACK') throw notFound('Callback not found.');
    if (operation.Status !== 'STARTED' || running.execution.end) {
      throw new LambdaServiceError(
        400,
        'CallbackTimeoutException',
        `The callback is no longer waited for: ${operation.Status}.`,
      );
    }
    return { running, operation };
  }

  function recover(): void {
    for (const execution of store.load()) executions.set(execution.start.arn, runningOf(execution));
    const children = new Map<string, Execution>();
    for (const { execution } of executions.values()) {
      const { parent } = execution.start;
      if (parent) children.set(`${parent.executionId}/${parent.operationId}`, execution);
    }
    for (const running of [...executions.values()]) {
      const { execution } = running;
      if (execution.end) continue;
      for (const operation of execution.operations.values()) {
        if (operation.Type !== 'CHAINED_INVOKE' || operation.Status !== 'STARTED') continue;
        const child = children.get(`${execution.start.id}/${operation.Id}`);
        if (!child) goInto(running, operation).catch(dependencies.failed);
        else if (child.end) settleParent(child, child.end);
      }
      elapseDue(running);
      void run(running);
    }
  }

  const all = () => [...executions.values()].map(({ execution }) => execution);

  return {
    start,
    finished: (execution) =>
      new Promise((resolve) => {
        if (execution.end) resolve(execution.end);
        else get(execution.start.arn).waiters.push(resolve);
      }),
    find: (arn) => get(arn).execution,
    all,
    checkpoint,
    checkToken,
    stop: (arn, error) => end(get(arn), 'STOPPED', error ? { Error: error } : {}),
    completeCallback: (id, status, outcome) => {
      const { running, operation } = callback(id);
      change(running, operation.Id, (current) => finish(current, status, outcome, Date.now()));
    },
    heartbeat: (id) => {
      const { running, operation } = callback(id);
      const { heartbeatSeconds } = operation.service ?? {};
      if (heartbeatSeconds === undefined) return;
      const next = {
        ...operation,
        service: { ...operation.service, heartbeatBy: Date.now() + heartbeatSeconds * 1000 },
      };
      running.execution.operations.set(operation.Id, next);
      store.append(running.execution.start.id, { operations: [next] });
      schedule(running);
    },
    recover,
    close: () => {
      closing.abort();
      for (const { timer } of executions.values()) clearTimeout(timer);
    },
  };
}
