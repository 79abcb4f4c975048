import type { ErrorObject, Execution, HistoryEvent, Operation, OperationType } from './model.ts';

const typeNames: Record<OperationType, string> = {
  EXECUTION: 'Execution',
  CONTEXT: 'Context',
  STEP: 'Step',
  WAIT: 'Wait',
  CALLBACK: 'Callback',
  CHAINED_INVOKE: 'ChainedInvoke',
};

const happenings = {
  STARTED: 'Started',
  SUCCEEDED: 'Succeeded',
  FAILED: 'Failed',
  TIMED_OUT: 'TimedOut',
  STOPPED: 'Stopped',
  CANCELLED: 'Cancelled',
} as const;

export type Happening = keyof typeof happenings;

/** The history entry for something that happened to an operation; times in milliseconds, see {@link wireEvent}. */
export function historyEvent(
  execution: Execution,
  operation: Operation,
  happening: Happening,
  now: number,
): HistoryEvent {
  const name = `${typeNames[operation.Type]}${happenings[happening]}`;
  return {
    EventType: name,
    EventId: execution.events.length + 1,
    EventTimestamp: now,
    Id: operation.Id,
    ...(operation.Name === undefined ? {} : { Name: operation.Name }),
    ...(operation.ParentId === undefined ? {} : { ParentId: operation.ParentId }),
    ...(operation.SubType === undefined ? {} : { SubType: operation.SubType }),
    [`${name}Details`]: happening === 'STARTED' ? startDetails(operation, execution) : endDetails(operation),
  };
}

export function invocationEvent(
  execution: Execution,
  requestId: string,
  started: number,
  now: number,
  error: ErrorObject | null,
): HistoryEvent {
  return {
    EventType: 'InvocationCompleted',
    EventId: execution.events.length + 1,
    EventTimestamp: now,
    InvocationCompletedDetails: {
      StartTimestamp: started / 1000,
      EndTimestamp: now / 1000,
      RequestId: requestId,
      ...(error ? { Error: { Payload: error, Truncated: false } } : {}),
    },
  };
}

export function executionEvent(execution: Execution, now: number): HistoryEvent {
  const happening = execution.end?.status ?? 'STARTED';
  const name = `Execution${happenings[happening]}`;
  const { start, end } = execution;
  return {
    EventType: name,
    EventId: execution.events.length + 1,
    EventTimestamp: now,
    Id: start.id,
    Name: start.name,
    [`${name}Details`]: end
      ? outcome({ ...(end.result === null ? {} : { Result: end.result }), ...(end.error ? { Error: end.error } : {}) })
      : {
          Input: { Payload: start.input, Truncated: false },
          ExecutionTimeout: Math.round((start.timeoutAt - start.startedAt) / 1000),
        },
  };
}

/** As the API answers it: times in seconds, payloads left out unless they were asked for. */
export function wireEvent(event: HistoryEvent, includeData: boolean): Record<string, unknown> {
  const text = JSON.stringify({ ...event, EventTimestamp: event.EventTimestamp / 1000 }, (key, value: unknown) =>
    !includeData && key === 'Payload' ? undefined : value,
  );
  return JSON.parse(text) as Record<string, unknown>;
}

function startDetails(operation: Operation, { start }: Execution): Record<string, unknown> {
  switch (operation.Type) {
    case 'EXECUTION':
      return {
        Input: { Payload: start.input, Truncated: false },
        ExecutionTimeout: Math.round((start.timeoutAt - start.startedAt) / 1000),
      };
    case 'WAIT': {
      const end = operation.WaitDetails?.ScheduledEndTimestamp ?? operation.StartTimestamp;
      return { Duration: Math.round((end - operation.StartTimestamp) / 1000), ScheduledEndTimestamp: end / 1000 };
    }
    case 'CALLBACK':
      return {
        CallbackId: operation.CallbackDetails?.CallbackId,
        HeartbeatTimeout: operation.service?.heartbeatSeconds,
      };
    case 'CHAINED_INVOKE':
      return {
        FunctionName: operation.service?.invoke?.functionName ?? '',
        Input: { Payload: operation.service?.invoke?.payload ?? '', Truncated: false },
      };
    default:
      return {};
  }
}

function endDetails(operation: Operation): Record<string, unknown> {
  if (operation.Type === 'WAIT') {
    return {
      Duration: Math.round(((operation.EndTimestamp ?? operation.StartTimestamp) - operation.StartTimestamp) / 1000),
    };
  }
  const details =
    operation.ContextDetails ??
    operation.StepDetails ??
    operation.CallbackDetails ??
    operation.ChainedInvokeDetails ??
    {};
  return {
    ...outcome(details),
    ...(operation.Type === 'STEP' ? { RetryDetails: { CurrentAttempt: operation.StepDetails?.Attempt ?? 1 } } : {}),
  };
}

function outcome(of: { Result?: string; Error?: ErrorObject }): Record<string, unknown> {
  return of.Error
    ? { Error: { Payload: of.Error, Truncated: false } }
    : { Result: { Payload: of.Result, Truncated: false } };
}
