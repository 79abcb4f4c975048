import type { Schedules } from './aws/scheduler.ts';
import { startTarget, type Targets } from './events/bus.ts';
import { nextRun } from './events/expressions.ts';
import type { Rule, RuleTarget } from './template/rules.ts';

type Planned = {
  readonly name: string;
  readonly expression: string;
  readonly timeZone: string;
  readonly targets: readonly RuleTarget[];
  readonly event: (time: string) => string;
  readonly startAt: number;
  readonly endAt: number;
};

export type ScheduleOptions = {
  readonly schedules: Schedules;
  readonly rules: readonly Rule[];
  readonly targets: Targets;
  /** What an operator of this system should read. */
  readonly note: (text: string) => void;
};

/** A timer holds at most about 24 days; a later run is waited for in steps. */
const longestTimer = 86_400_000;

/**
 * Runs the schedules of EventBridge Scheduler and the rules with a schedule expression, on time and in their time zones.
 * A run that fell into a time when the system was stopped is not made up for.
 *
 * @returns what ends it.
 */
export function runSchedules({ schedules, rules, targets, note }: ScheduleOptions): () => void {
  const startedAt = Date.now();
  const timers = new Map<string, NodeJS.Timeout>();

  function plan(planned: Planned): void {
    const key = planned.name;
    const now = Date.now();
    const next = nextRun(planned.expression, planned.timeZone, Math.max(now, planned.startAt - 1), startedAt);
    if (next === null || next > planned.endAt) return;
    const timer = setTimeout(
      () => {
        if (Date.now() >= next) {
          const time = new Date(next).toISOString().replace('.000Z', 'Z');
          for (const target of planned.targets)
            startTarget(targets, planned.name, withContext(target, time), planned.event(time), note);
        }
        planSafely(planned);
      },
      Math.min(next - now, longestTimer),
    );
    timers.set(key, timer);
  }

  function planSafely(planned: Planned): void {
    try {
      plan(planned);
    } catch (error) {
      note(`${planned.name} does not run: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  function planAll(): void {
    for (const timer of timers.values()) clearTimeout(timer);
    timers.clear();
    for (const rule of rules) {
      if (rule.scheduleExpression === null) continue;
      const event = (time: string) =>
        JSON.stringify({
          version: '0',
          'detail-type': 'Scheduled Event',
          source: 'aws.events',
          time,
          resources: [rule.arn],
          detail: {},
        });
      planSafely({
        name: rule.name,
        expression: rule.scheduleExpression,
        timeZone: 'UTC',
        targets: rule.targets,
        event,
        startAt: 0,
        endAt: Number.POSITIVE_INFINITY,
      });
    }
    for (const {
      Name,
      State,
      ScheduleExpression,
      ScheduleExpressionTimezone,
      StartDate,
      EndDate,
      Target,
    } of schedules.list()) {
      if (State !== 'ENABLED') continue;
      const deadLetter = Target.DeadLetterConfig as { Arn?: string } | undefined;
      planSafely({
        name: Name,
        expression: ScheduleExpression,
        timeZone: ScheduleExpressionTimezone,
        targets: [{ arn: Target.Arn, input: Target.Input ?? null, deadLetterArn: deadLetter?.Arn ?? null }],
        event: () => '{}',
        startAt: (StartDate ?? 0) * 1000,
        endAt: (EndDate ?? Number.POSITIVE_INFINITY) * 1000,
      });
    }
  }

  planAll();
  const unsubscribe = schedules.subscribe(planAll);
  return () => {
    unsubscribe();
    for (const timer of timers.values()) clearTimeout(timer);
    timers.clear();
  };
}

/** Scheduler fills its context attributes into a target's input. */
function withContext(target: RuleTarget, time: string): RuleTarget {
  return {
    ...target,
    input:
      target.input
        ?.replaceAll('<aws.scheduler.scheduled-time>', time)
        .replaceAll('<aws.scheduler.attempt-number>', '1') ?? null,
  };
}
