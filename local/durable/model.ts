import * as z from 'zod';

export const errorObjectSchema = z.object({
  ErrorMessage: z.string().optional(),
  ErrorType: z.string().optional(),
  ErrorData: z.string().optional(),
  StackTrace: z.array(z.string()).optional(),
});

const operationTypes = ['EXECUTION', 'CONTEXT', 'STEP', 'WAIT', 'CALLBACK', 'CHAINED_INVOKE'] as const;

/** One requested change in a checkpoint, in the service's own form. */
export const operationUpdateSchema = z.object({
  Id: z.string().min(1),
  ParentId: z.string().nullish(),
  Name: z.string().nullish(),
  Type: z.enum(operationTypes),
  SubType: z.string().nullish(),
  Action: z.enum(['START', 'SUCCEED', 'FAIL', 'RETRY', 'CANCEL']),
  Payload: z.string().nullish(),
  Error: errorObjectSchema.nullish(),
  ContextOptions: z.object({ ReplayChildren: z.boolean().nullish() }).nullish(),
  StepOptions: z.object({ NextAttemptDelaySeconds: z.number().nullish() }).nullish(),
  WaitOptions: z.object({ WaitSeconds: z.number().nullish() }).nullish(),
  CallbackOptions: z
    .object({ TimeoutSeconds: z.number().nullish(), HeartbeatTimeoutSeconds: z.number().nullish() })
    .nullish(),
  ChainedInvokeOptions: z.object({ FunctionName: z.string() }).nullish(),
});

export type ErrorObject = z.output<typeof errorObjectSchema>;
export type OperationUpdate = z.output<typeof operationUpdateSchema>;
export type OperationType = (typeof operationTypes)[number];
export type OperationStatus =
  | 'STARTED'
  | 'PENDING'
  | 'READY'
  | 'SUCCEEDED'
  | 'FAILED'
  | 'CANCELLED'
  | 'TIMED_OUT'
  | 'STOPPED';
export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'STOPPED';

type Outcome = { Result?: string; Error?: ErrorObject };

/** An operation as it is kept; times in milliseconds since the epoch. */
export type Operation = {
  Id: string;
  Type: OperationType;
  Status: OperationStatus;
  StartTimestamp: number;
  EndTimestamp?: number;
  ParentId?: string;
  Name?: string;
  SubType?: string;
  ExecutionDetails?: { InputPayload?: string };
  ContextDetails?: Outcome & { ReplayChildren?: boolean };
  StepDetails?: Outcome & { Attempt?: number; NextAttemptTimestamp?: number };
  WaitDetails?: { ScheduledEndTimestamp?: number };
  CallbackDetails?: Outcome & { CallbackId?: string };
  ChainedInvokeDetails?: Outcome;
  /** Known to the service alone: never sent to the function. */
  service?: {
    timeoutAt?: number;
    heartbeatSeconds?: number;
    heartbeatBy?: number;
    invoke?: { functionName: string; payload: string };
  };
};

export type HistoryEvent = { EventId: number; EventType: string; EventTimestamp: number } & Record<string, unknown>;

/** What never changes of an execution once it has started. */
export type ExecutionStart = {
  readonly arn: string;
  readonly id: string;
  readonly name: string;
  /** ARN with version. */
  readonly functionArn: string;
  readonly functionName: string;
  readonly qualifier: string;
  readonly input: string;
  readonly startedAt: number;
  readonly timeoutAt: number;
  readonly retentionDays: number;
  /** The chained invoke that waits for this execution. */
  readonly parent: { readonly executionId: string; readonly operationId: string } | null;
  /** Whether nobody waits for the result, so that a failure goes to the dead-letter queue. */
  readonly asynchronous: boolean;
};

export type ExecutionEnd = {
  readonly status: Exclude<ExecutionStatus, 'RUNNING'>;
  readonly endedAt: number;
  readonly result: string | null;
  readonly error: ErrorObject | null;
};

export type Execution = {
  readonly start: ExecutionStart;
  readonly operations: Map<string, Operation>;
  readonly events: HistoryEvent[];
  end: ExecutionEnd | null;
};

export const finalStatuses: ReadonlySet<OperationStatus> = new Set<OperationStatus>([
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'TIMED_OUT',
  'STOPPED',
]);

export const statusOf = (execution: Execution): ExecutionStatus => execution.end?.status ?? 'RUNNING';

/** The operation as the function sees it. @param time how a time is written: seconds in the API, ISO 8601 in an event. */
export function wireOperation(
  { service: _private, ...operation }: Operation,
  time: (milliseconds: number) => unknown,
): Record<string, unknown> {
  const { StepDetails, WaitDetails } = operation;
  return {
    ...operation,
    StartTimestamp: time(operation.StartTimestamp),
    ...(operation.EndTimestamp === undefined ? {} : { EndTimestamp: time(operation.EndTimestamp) }),
    ...(StepDetails?.NextAttemptTimestamp === undefined
      ? {}
      : { StepDetails: { ...StepDetails, NextAttemptTimestamp: time(StepDetails.NextAttemptTimestamp) } }),
    ...(WaitDetails?.ScheduledEndTimestamp === undefined
      ? {}
      : { WaitDetails: { ScheduledEndTimestamp: time(WaitDetails.ScheduledEndTimestamp) } }),
  };
}

/** Operations a replay needs: what happened inside a closed context is left out, unless it asked to keep it. */
export function replayedOperations(execution: Execution): Operation[] {
  const left = new Set<string>();
  return [...execution.operations.values()].filter((operation) => {
    const parent = operation.ParentId === undefined ? undefined : execution.operations.get(operation.ParentId);
    if (parent?.Type !== 'CONTEXT') return true;
    const closed =
      (parent.Status === 'SUCCEEDED' || parent.Status === 'FAILED') && !parent.ContextDetails?.ReplayChildren;
    if (!closed && !left.has(parent.Id)) return true;
    left.add(operation.Id);
    return false;
  });
}
