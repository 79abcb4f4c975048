import { dueAt, elapse, finish } from './apply.ts';
import { executionEvent, type Happening, historyEvent } from './history.ts';
import { conclude, invokeOnce } from './invocation.ts';
import {
  type ErrorObject,
  type Execution,
  type ExecutionEnd,
  finalStatuses,
  type HistoryEvent,
  type Operation,
} from './model.ts';
import type { Held, Running } from './running.ts';

const longestTimer = 2_000_000_000;

/** What moves executions on: invocations, changes from outside, timers, and their ends. */
export function createLifecycle(held: Held) {
  const { dependencies, executions, closing } = held;
  const { store, maximumFailures = 3, retryMilliseconds = 1000 } = dependencies;

  /** Invokes the function until the execution ends or has nothing to do but wait. */
  async function run(running: Running): Promise<void> {
    await goOn(running).catch((error: unknown) => {
      running.invoking = false;
      dependencies.failed(error);
    });
  }

  async function goOn(running: Running): Promise<void> {
    const { execution, changed } = running;
    if (running.invoking || execution.end) return;
    running.invoking = true;
    let failures = 0;
    while (!execution.end && !closing.aborted) {
      const progress = running.progress;
      const outcome = await invokeOnce(running, held);
      running.token = null;
      if (execution.end || closing.aborted) break;
      if (outcome.ok) {
        failures = 0;
        const conclusion = conclude(running, outcome.payload);
        if (conclusion === 'again') continue;
        if (conclusion !== 'wait') end(running, conclusion.status, conclusion.outcome);
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
      await sleep(retryMilliseconds * 2 ** (failures - 1), closing);
    }
    running.invoking = false;
    if (changed.size > 0 && !execution.end && !closing.aborted) void run(running);
  }

  /** For what a timer starts. */
  function safely(work: () => void): void {
    try {
      work();
    } catch (error) {
      dependencies.failed(error);
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
    if (execution.end || closing.aborted) return;
    const times = [...execution.operations.values()].map(dueAt).filter((time) => time !== null);
    const next = Math.min(execution.start.timeoutAt, ...times);
    running.timer = setTimeout(
      () => safely(() => elapseDue(running)),
      Math.min(Math.max(0, next - Date.now()), longestTimer),
    );
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

  return { run, change, schedule, elapseDue, end, settleParent };
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
