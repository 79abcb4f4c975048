import { invalidParameter } from '../lambda/errors.ts';
import type { Operation, OperationStatus, OperationType, OperationUpdate } from './model.ts';

const maximumErrorBytes = 32_768;
export const maximumPayloadBytes = 6_291_456;
/** Of one execution: a quota of the service, which nobody can have raised. */
export const maximumOperations = 3000;

/** Which statuses an action may start from, by operation type; `new` stands for an operation not known yet. */
const transitions: Record<
  OperationType,
  Partial<Record<OperationUpdate['Action'], readonly (OperationStatus | 'new')[]>>
> = {
  EXECUTION: { SUCCEED: ['new', 'STARTED'], FAIL: ['new', 'STARTED'] },
  CONTEXT: { START: ['new'], SUCCEED: ['new', 'STARTED'], FAIL: ['new', 'STARTED'] },
  // An at-least-once step reports its end without a start; a retried one goes on from READY.
  STEP: {
    START: ['new', 'READY'],
    SUCCEED: ['new', 'STARTED', 'READY'],
    FAIL: ['new', 'STARTED', 'READY'],
    RETRY: ['new', 'STARTED', 'READY'],
  },
  WAIT: { START: ['new'], CANCEL: ['STARTED'] },
  CALLBACK: { START: ['new'], CANCEL: ['STARTED'] },
  CHAINED_INVOKE: { START: ['new'], CANCEL: ['STARTED'] },
};

/**
 * Checks the updates of one checkpoint as the service does, so that a function that would be refused there is refused here.
 *
 * @throws LambdaServiceError InvalidParameterValueException
 */
export function validateUpdates(updates: readonly OperationUpdate[], operations: ReadonlyMap<string, Operation>): void {
  const executions = updates.filter(({ Type }) => Type === 'EXECUTION');
  if (executions.length > 1) throw invalidParameter('Cannot checkpoint multiple EXECUTION updates.');
  if (executions.length === 1 && updates.at(-1)?.Type !== 'EXECUTION')
    throw invalidParameter('EXECUTION checkpoint must be the last update.');

  const seen = new Map<string, OperationUpdate>();
  for (const update of updates) {
    const before = seen.get(update.Id);
    const mayFollow =
      before?.Action === 'START' && update.Action !== 'START' && (update.Type === 'STEP' || update.Type === 'CONTEXT');
    if (before && !mayFollow) throw invalidParameter('Cannot update the same operation twice in a single request.');
    checkParent(update, seen, operations);
    checkContent(update);
    const status = before ? 'STARTED' : (operations.get(update.Id)?.Status ?? 'new');
    const allowed = transitions[update.Type][update.Action];
    if (!allowed) throw invalidParameter('Invalid action for the given operation type.');
    if (update.Type !== 'EXECUTION' && !allowed.includes(status)) {
      throw invalidParameter(`Invalid current ${update.Type} state to ${update.Action}: ${status}.`);
    }
    seen.set(update.Id, update);
  }
  const added = [...seen.keys()].filter((id) => !operations.has(id)).length;
  if (added > 0 && operations.size + added > maximumOperations)
    throw invalidParameter(`A durable execution can have ${maximumOperations} operations.`);
}

function checkParent(
  update: OperationUpdate,
  seen: ReadonlyMap<string, OperationUpdate>,
  operations: ReadonlyMap<string, Operation>,
): void {
  if (!update.ParentId) return;
  const type = seen.get(update.ParentId)?.Type ?? operations.get(update.ParentId)?.Type;
  if (type !== 'CONTEXT') throw invalidParameter('Invalid parent operation id.');
}

function checkContent({
  Type,
  Action,
  Error: error,
  Payload,
  StepOptions,
  ChainedInvokeOptions,
  WaitOptions,
}: OperationUpdate): void {
  if (error && Buffer.byteLength(JSON.stringify(error)) > maximumErrorBytes) {
    throw invalidParameter(`Error object size must be less than ${maximumErrorBytes} bytes.`);
  }
  if (Payload && Buffer.byteLength(Payload) > maximumPayloadBytes)
    throw invalidParameter(`Payload size must be less than ${maximumPayloadBytes} bytes.`);
  if (Action === 'FAIL' && Payload != null) throw invalidParameter('Cannot provide a Payload for FAIL action.');
  if (Action === 'SUCCEED' && error) throw invalidParameter('Cannot provide an Error for SUCCEED action.');
  if (Action === 'RETRY' && !StepOptions) throw invalidParameter('Invalid StepOptions for the given action.');
  if (Action === 'RETRY' && error && Payload != null)
    throw invalidParameter('Cannot provide both error and payload to RETRY a STEP.');
  if (Type === 'CHAINED_INVOKE' && Action === 'START' && !ChainedInvokeOptions)
    throw invalidParameter('Invalid ChainedInvokeOptions for the given action.');
  if (Type === 'WAIT' && Action === 'START' && !((WaitOptions?.WaitSeconds ?? 0) >= 1))
    throw invalidParameter('Invalid WaitOptions for the given action.');
}
