import { randomBytes, randomUUID } from 'node:crypto';
import { invalidParameter, LambdaServiceError, notFound } from '../lambda/errors.ts';
import type { Outcome } from '../lambda/instance.ts';
import type { FunctionDefinition } from '../template/functions.ts';
import { applyUpdate, dueAt, elapse, finish } from './apply.ts';
import { executionEvent, type Happening, historyEvent, invocationEvent } from './history.ts';
import {
  type ErrorObject,
  type Execution,
  type ExecutionEnd,
  type ExecutionStart,
  finalStatuses,
  type HistoryEvent,
  type Operation,
  type OperationUpdate,
  replayedOperations,
  wireOperation,
} from './model.ts';
import type { ExecutionStore } from './store.ts';
import { maximumPayloadBytes, validateUpdates } from './validate.ts';

export type DurableDependencies = {
  readonly store: ExecutionStore;
  /** Runs one invocation of a function. */
  readonly invoke: (
    definition: FunctionDefinition,
    qualifier: string,
    payload: string,
    requestId: string,
  ) => Promise<Outcome>;
  /** Finds a function by name or ARN. @throws LambdaServiceError when there is none, or a durable one is not qualified. */
  readonly find: (nameOrArn: string) => { definition: FunctionDefinition; qualifier: string };
  /** Told of every start and end of an execution. */
  readonly statusChanged: (execution: Execution) => void;
  /** Invocations that may fail in a row without any progress before the execution fails. */
  readonly maximumFailures?: number;
  /** Before the first repetition of a failed invocation; doubled for each further one. */
  readonly retryMilliseconds?: number;
  /** How much of its time a wait takes; by default all of it. Less is for tests, which would wait for nothing. */
  readonly waitShare?: number;
};

export type StartOptions = {
  name?: string | undefined;
  input: string;
  asynchronous: boolean;
  parent?: ExecutionStart['parent'];
};

/** The part of Lambda that keeps durable executions: their operations, timers, chained invocations and callbacks. */
export type DurableService = {
  /** Starts an execution, or finds the one that the same name and input started before. */
  readonly start: (definition: FunctionDefinition, qualifier: string, options: StartOptions) => Execution;
  readonly finished: (execution: Execution) => Promise<ExecutionEnd>;
  /** @throws LambdaServiceError when there is no such execution. */
  readonly find: (arn: string) => Execution;
  readonly all: () => readonly Execution[];
  /** Applies a checkpoint. @returns the next token and every operation that changed since the last one. */
  readonly checkpoint: (arn: string, request: CheckpointRequest) => { token: string; operations: readonly Operation[] };
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

type Running = {
  readonly execution: Execution;
  /** Valid for the next checkpoint; null while no invocation runs. */
  token: string | null;
  last: { clientToken: string; answer: { token: string; operations: readonly Operation[] } } | null;
  /** Operations that something other than the function changed, and the function has not been told of. */
  readonly changed: Set<string>;
  invoking: boolean;
  /** Operations that ended, counted to tell an invocation that got somewhere from one that did not. */
  progress: number;
  timer: NodeJS.Timeout | undefined;
  readonly waiters: ((end: ExecutionEnd) => void)[];
};

const longestTimer = 2_000_000_000;
const pageBytes = 4_000_000;

export function createDurableService(dependencies: DurableDependencies): DurableService {
  const { store, maximumFailures = 3, retryMilliseconds = 1000, waitShare = 1 } = dependencies;
  const executions = new Map<string, Running>();
  const closing = new AbortController();

  function runningOf(execution: Execution): Running {
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

  function get(arn: string): Running {
    const running = executions.get(arn);
    if (!running) throw notFound(`Durable execution not found: ${arn}`);
    return running;
  }

  function start(definition: FunctionDefinition, qualifier: string, options: StartOptions): Execution {
    const { durable } = definition;
    if (!durable) throw invalidParameter(`${definition.name} is not a durable function.`);
    const name = options.name ?? randomUUID();
    const version = definition.qualifiers.get(qualifier) ?? qualifier;
    for (const { execution } of executions.values()) {
      if (
        options.name === undefined ||
        execution.start.name !== name ||
        execution.start.functionName !== definition.name
      )
        continue;
      if (execution.start.input === options.input) return execution;
      throw new LambdaServiceError(
        409,
        'DurableExecutionAlreadyStartedException',
        `An execution named ${name} was started with another payload.`,
      );
    }
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
    store.append(id, { start: execution.start, operations: [operation], events: execution.events });
    const running = runningOf(execution);
    executions.set(execution.start.arn, running);
    dependencies.statusChanged(execution);
    schedule(running);
    void run(running);
    return execution;
  }

  /** Invokes the function until the execution ends or has nothing to do but wait. */
  async function run(running: Running): Promise<void> {
    const { execution, changed } = running;
    if (running.invoking || execution.end) return;
    running.invoking = true;
    let failures = 0;
    while (!execution.end && !closing.signal.aborted) {
      const progress = running.progress;
      const outcome = await invokeOnce(running);
      running.token = null;
      if (execution.end || closing.signal.aborted) break;
      if (outcome.ok) {
        failures = 0;
        if (conclude(running, outcome.payload)) continue;
        break;
      }
      failures = running.progress > progress ? 1 : failures + 1;
      if (failures >= maximumFailures) {
        const { errorType, errorMessage, trace } = outcome.error;
        end(running, 'FAILED', {
          Error: { ErrorType: errorType, ErrorMessage: errorMessage, ...(trace ? { StackTrace: [...trace] } : {}) },
        });
        break;
      }
      await sleep(retryMilliseconds * 2 ** (failures - 1), closing.signal);
    }
    running.invoking = false;
    if (changed.size > 0 && !execution.end && !closing.signal.aborted) void run(running);
  }

  async function invokeOnce(running: Running): Promise<Outcome> {
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
    const outcome = await tryInvoke(start, payload, requestId);
    if (closing.signal.aborted) return outcome;
    const error = outcome.ok ? null : { ErrorType: outcome.error.errorType, ErrorMessage: outcome.error.errorMessage };
    const event = invocationEvent(execution, requestId, started, Date.now(), error);
    execution.events.push(event);
    store.append(start.id, { events: [event] });
    return outcome;
  }

  async function tryInvoke(
    { functionName, qualifier }: ExecutionStart,
    payload: string,
    requestId: string,
  ): Promise<Outcome> {
    try {
      const { definition } = dependencies.find(`${functionName}:${qualifier}`);
      return await dependencies.invoke(definition, qualifier, payload, requestId);
    } catch (error) {
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      return {
        ok: false,
        error: { errorType: error instanceof LambdaServiceError ? error.code : name, errorMessage: message },
      };
    }
  }

  /** Takes the function's answer. @returns whether to invoke it again at once. */
  function conclude(running: Running, payload: string): boolean {
    const output = JSON.parse(payload) as { Status?: string; Result?: string; Error?: ErrorObject } | null;
    if (output?.Status === 'SUCCEEDED') {
      end(running, 'SUCCEEDED', output.Result === undefined ? {} : { Result: output.Result });
      return false;
    }
    if (output?.Status === 'FAILED') {
      end(running, 'FAILED', output.Error ? { Error: output.Error } : {});
      return false;
    }
    if (output?.Status !== 'PENDING') {
      end(running, 'FAILED', {
        Error: { ErrorType: 'Lambda.InvalidOutput', ErrorMessage: 'Invalid Status in invocation output.' },
      });
      return false;
    }
    const open = [...running.execution.operations.values()].filter(
      ({ Type, Status }) => Type !== 'EXECUTION' && Type !== 'CONTEXT' && !finalStatuses.has(Status),
    );
    if (running.changed.size > 0 || open.some(({ Status }) => Status === 'READY')) return true;
    if (!open.some((operation) => operation.Type !== 'STEP' || operation.Status === 'PENDING')) {
      end(running, 'FAILED', {
        Error: {
          ErrorType: 'Lambda.InvalidOutput',
          ErrorMessage: 'Cannot return PENDING status with no pending operations.',
        },
      });
    }
    return false;
  }

  function checkpoint(arn: string, request: CheckpointRequest): { token: string; operations: readonly Operation[] } {
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
    for (const operation of started) void invokeChained(running, operation);
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

  async function invokeChained(running: Running, operation: Operation): Promise<void> {
    const { functionName, payload } = operation.service?.invoke ?? { functionName: '', payload: 'null' };
    const settle = (status: 'SUCCEEDED' | 'FAILED', outcome: { Result?: string; Error?: ErrorObject }) => {
      if (!closing.signal.aborted)
        change(running, operation.Id, (current) => finish(current, status, outcome, Date.now()));
    };
    try {
      const { definition, qualifier } = dependencies.find(functionName);
      if (definition.durable) {
        start(definition, qualifier, {
          input: payload,
          asynchronous: false,
          parent: { executionId: running.execution.start.id, operationId: operation.Id },
        });
        return;
      }
      const outcome = await dependencies.invoke(definition, qualifier, payload, randomUUID());
      if (outcome.ok && Buffer.byteLength(outcome.payload) > maximumPayloadBytes)
        settle('FAILED', {
          Error: {
            ErrorType: 'Function.ResponseSizeTooLarge',
            ErrorMessage: `Response payload size exceeded maximum allowed payload size (${maximumPayloadBytes} bytes).`,
          },
        });
      else if (outcome.ok) settle('SUCCEEDED', { Result: outcome.payload });
      else
        settle('FAILED', {
          Error: {
            ErrorType: outcome.error.errorType,
            ErrorMessage: outcome.error.errorMessage,
            StackTrace: [...(outcome.error.trace ?? [])],
          },
        });
    } catch (error) {
      const { message } = error instanceof Error ? error : new Error(String(error));
      settle('FAILED', {
        Error: {
          ErrorType: error instanceof LambdaServiceError ? error.code : 'ServiceException',
          ErrorMessage: message,
        },
      });
    }
  }

  /** Something other than the function changes an operation: keep it, and go on with the execution. */
  function change(running: Running, operationId: string, next: (operation: Operation) => Operation): void {
    const { execution, changed } = running;
    const current = execution.operations.get(operationId);
    if (!current || finalStatuses.has(current.Status) || execution.end) return;
    const now = Date.now();
    const operation = next(current);
    execution.operations.set(operationId, operation);
    const events: HistoryEvent[] = finalStatuses.has(operation.Status)
      ? [historyEvent(execution, operation, operation.Status as Happening, now)]
      : [];
    execution.events.push(...events);
    store.append(execution.start.id, { operations: [operation], events });
    changed.add(operationId);
    running.progress += 1;
    schedule(running);
    void run(running);
  }

  /** Sets the timer for the next wait, retry or time limit. */
  function schedule(running: Running): void {
    clearTimeout(running.timer);
    const { execution } = running;
    if (execution.end || closing.signal.aborted) return;
    const times = [...execution.operations.values()].map(dueAt).filter((time) => time !== null);
    const next = Math.min(execution.start.timeoutAt, ...times);
    running.timer = setTimeout(() => elapseDue(running), Math.min(Math.max(0, next - Date.now()), longestTimer));
  }

  function elapseDue(running: Running): void {
    const { execution } = running;
    const now = Date.now();
    if (execution.start.timeoutAt <= now) {
      end(running, 'TIMED_OUT', {
        Error: { ErrorType: 'ExecutionTimeout', ErrorMessage: 'The durable execution reached its time limit.' },
      });
      return;
    }
    for (const operation of [...execution.operations.values()]) {
      const due = dueAt(operation);
      if (due !== null && due <= now) change(running, operation.Id, (current) => elapse(current, now));
    }
    schedule(running);
  }

  function end(
    running: Running,
    status: ExecutionEnd['status'],
    outcome: { Result?: string; Error?: ErrorObject },
  ): ExecutionEnd {
    const { execution, waiters } = running;
    if (execution.end) return execution.end;
    const now = Date.now();
    const ended: ExecutionEnd = { status, endedAt: now, result: outcome.Result ?? null, error: outcome.Error ?? null };
    execution.end = ended;
    const event = executionEvent(execution, now);
    execution.events.push(event);
    store.append(execution.start.id, { events: [event], end: ended });
    clearTimeout(running.timer);
    dependencies.statusChanged(execution);
    for (const resolve of waiters.splice(0)) resolve(ended);
    settleParent(execution, ended);
    if (status === 'STOPPED' || status === 'TIMED_OUT') {
      for (const child of executions.values()) {
        if (child.execution.start.parent?.executionId === execution.start.id)
          end(child, 'STOPPED', outcome.Error ? { Error: outcome.Error } : {});
      }
    }
    return ended;
  }

  function settleParent({ start: { parent } }: Execution, { status, result, error }: ExecutionEnd): void {
    if (!parent) return;
    const waiting = [...executions.values()].find(({ execution }) => execution.start.id === parent.executionId);
    if (!waiting) return;
    const outcome = { ...(result === null ? {} : { Result: result }), ...(error ? { Error: error } : {}) };
    change(waiting, parent.operationId, (operation) => finish(operation, status, outcome, Date.now()));
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
        if (!child) void invokeChained(running, operation);
        else if (child.end) settleParent(child, child.end);
      }
      elapseDue(running);
      void run(running);
    }
  }

  return {
    start,
    finished: (execution) =>
      new Promise((resolve) => {
        if (execution.end) resolve(execution.end);
        else get(execution.start.arn).waiters.push(resolve);
      }),
    find: (arn) => get(arn).execution,
    all: () => [...executions.values()].map(({ execution }) => execution),
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

const newToken = (requestId: string) =>
  Buffer.from(JSON.stringify({ requestId, token: randomBytes(12).toString('hex') })).toString('base64');

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
