import { randomUUID } from 'node:crypto';
import type { LambdaService } from '../lambda/service.ts';
import { account, region, stackId } from '../template/identities.ts';
import type { Rule, RuleTarget } from '../template/rules.ts';
import { matchesPattern } from './patterns.ts';
import type { Queues } from './queues.ts';

export type BusEvent = {
  readonly source: string;
  readonly detailType: string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, unknown>>;
};

/** What rules and schedules start: functions, and queues that start functions later. */
export type Targets = Pick<LambdaService, 'submit' | 'deadLetters'> & { readonly send?: Queues['send'] };

/** The default event bus: hands each event to the targets of the rules it matches. */
export type EventBus = { readonly put: (event: BusEvent) => void };

/** @param note told, in words, of a target that could not be started. */
export function createEventBus(
  rules: () => readonly Rule[],
  targetsNow: () => Targets,
  note: (text: string) => void,
): EventBus {
  return {
    put: (event) => {
      const envelope = {
        version: '0',
        id: randomUUID(),
        'detail-type': event.detailType,
        source: event.source,
        account,
        time: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
        region,
        resources: event.resources,
        detail: event.detail,
      };
      for (const { name, eventPattern, targets } of rules()) {
        if (!eventPattern || !matchesPattern(eventPattern, envelope)) continue;
        for (const target of targets) startTarget(targetsNow(), name, target, JSON.stringify(envelope), note);
      }
    },
  };
}

/** What CloudFormation says when a stack has been deployed. */
export function deployedEvent(stack: string): BusEvent {
  const id = stackId(stack);
  return {
    source: 'aws.cloudformation',
    detailType: 'CloudFormation Stack Status Change',
    resources: [id],
    detail: { 'stack-id': id, 'status-details': { status: 'UPDATE_COMPLETE', 'status-reason': '' } },
  };
}

/** Starts the target of a rule or schedule asynchronously; what cannot be started goes to its dead-letter queue. */
export function startTarget(
  { submit, deadLetters, send }: Targets,
  from: string,
  { arn, input, deadLetterArn }: RuleTarget,
  event: string,
  note: (text: string) => void,
): void {
  const payload = input ?? event;
  if (send?.(arn, payload)) return;
  try {
    submit({ functionName: arn, payload });
  } catch (error) {
    const errorMessage = error instanceof Error ? error.message : String(error);
    note(`${from} could not start ${arn}: ${errorMessage}`);
    if (deadLetterArn !== null)
      deadLetters(deadLetterArn, { functionArn: arn, payload, errorType: 'TargetNotStarted', errorMessage });
  }
}
