import type { ErrorObject, Operation, OperationStatus, OperationType, OperationUpdate } from './model.ts';

const detailsName = {
  CONTEXT: 'ContextDetails',
  STEP: 'StepDetails',
  CALLBACK: 'CallbackDetails',
  CHAINED_INVOKE: 'ChainedInvokeDetails',
} as const;

const statusAfter = {
  SUCCEED: 'SUCCEEDED',
  FAIL: 'FAILED',
  CANCEL: 'CANCELLED',
  START: 'STARTED',
  RETRY: 'PENDING',
} as const;

/**
 * The operation after a validated update.
 *
 * @param now milliseconds since the epoch.
 * @param callbackId id for a callback that starts.
 * @param waitShare how much of its time a wait that starts takes.
 */
export function applyUpdate(
  update: OperationUpdate,
  previous: Operation | undefined,
  now: number,
  callbackId: string,
  waitShare = 1,
): Operation {
  const base: Operation = previous ?? {
    Id: update.Id,
    Type: update.Type,
    Status: 'STARTED',
    StartTimestamp: now,
    ...(update.ParentId ? { ParentId: update.ParentId } : {}),
    ...(update.Name ? { Name: update.Name } : {}),
    ...(update.SubType ? { SubType: update.SubType } : {}),
  };
  if (update.Action === 'START') return start({ ...base, Status: 'STARTED' }, update, now, callbackId, waitShare);
  if (update.Action === 'RETRY') {
    const { Attempt = 0 } = base.StepDetails ?? {};
    const delay = update.StepOptions?.NextAttemptDelaySeconds ?? 0;
    return {
      ...base,
      Status: 'PENDING',
      StepDetails: { Attempt: Attempt + 1, NextAttemptTimestamp: now + delay * 1000, ...result(update) },
    };
  }
  const ended = finish(base, statusAfter[update.Action], result(update), now);
  if (update.Type === 'CONTEXT' && update.ContextOptions?.ReplayChildren != null) {
    return {
      ...ended,
      ContextDetails: { ...ended.ContextDetails, ReplayChildren: update.ContextOptions.ReplayChildren },
    };
  }
  return ended;
}

/** The operation once it has ended, with what came of it. */
export function finish(
  operation: Operation,
  status: OperationStatus,
  outcome: { Result?: string; Error?: ErrorObject },
  now: number,
): Operation {
  const ended: Operation = { ...operation, Status: status, EndTimestamp: now };
  if (operation.Type === 'STEP') {
    const { NextAttemptTimestamp: _over, ...details } = operation.StepDetails ?? {};
    return { ...ended, StepDetails: { ...details, Attempt: (details.Attempt ?? 0) + 1, ...outcome } };
  }
  const name = hasDetails(operation.Type) ? detailsName[operation.Type] : null;
  return name === null ? ended : { ...ended, [name]: { ...operation[name], ...outcome } };
}

function start(
  operation: Operation,
  update: OperationUpdate,
  now: number,
  callbackId: string,
  waitShare: number,
): Operation {
  switch (update.Type) {
    case 'WAIT':
      return {
        ...operation,
        WaitDetails: { ScheduledEndTimestamp: now + (update.WaitOptions?.WaitSeconds ?? 0) * 1000 * waitShare },
      };
    case 'CONTEXT':
      return { ...operation, ContextDetails: { ReplayChildren: update.ContextOptions?.ReplayChildren ?? false } };
    case 'CALLBACK': {
      const { TimeoutSeconds, HeartbeatTimeoutSeconds } = update.CallbackOptions ?? {};
      return {
        ...operation,
        CallbackDetails: { CallbackId: callbackId },
        service: {
          ...(TimeoutSeconds ? { timeoutAt: now + TimeoutSeconds * 1000 } : {}),
          ...(HeartbeatTimeoutSeconds
            ? { heartbeatSeconds: HeartbeatTimeoutSeconds, heartbeatBy: now + HeartbeatTimeoutSeconds * 1000 }
            : {}),
        },
      };
    }
    case 'CHAINED_INVOKE':
      return {
        ...operation,
        ChainedInvokeDetails: {},
        service: {
          invoke: { functionName: update.ChainedInvokeOptions?.FunctionName ?? '', payload: update.Payload ?? 'null' },
        },
      };
    default:
      return operation;
  }
}

const hasDetails = (type: OperationType): type is keyof typeof detailsName => type in detailsName;

function result(update: OperationUpdate): { Result?: string; Error?: ErrorObject } {
  return {
    ...(update.Payload == null ? {} : { Result: update.Payload }),
    ...(update.Error ? { Error: update.Error } : {}),
  };
}

/** When something happens to the operation by itself; null when nothing will. */
export function dueAt(operation: Operation): number | null {
  if (operation.Type === 'WAIT' && operation.Status === 'STARTED')
    return operation.WaitDetails?.ScheduledEndTimestamp ?? null;
  if (operation.Type === 'STEP' && operation.Status === 'PENDING')
    return operation.StepDetails?.NextAttemptTimestamp ?? null;
  if (operation.Type === 'CALLBACK' && operation.Status === 'STARTED') {
    const times = [operation.service?.timeoutAt, operation.service?.heartbeatBy].filter((time) => time !== undefined);
    return times.length > 0 ? Math.min(...times) : null;
  }
  return null;
}

/** The operation after its time has come; see {@link dueAt}. */
export function elapse(operation: Operation, now: number): Operation {
  if (operation.Type === 'STEP') return { ...operation, Status: 'READY' };
  if (operation.Type === 'WAIT') return finish(operation, 'SUCCEEDED', {}, now);
  const late = operation.service?.timeoutAt !== undefined && operation.service.timeoutAt <= now;
  return finish(
    operation,
    'TIMED_OUT',
    { Error: { ErrorMessage: late ? 'Callback timed out' : 'Callback timed out on heartbeat' } },
    now,
  );
}
