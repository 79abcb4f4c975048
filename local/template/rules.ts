import * as z from 'zod';
import type { Resource } from './intrinsics.ts';

const ruleSchema = z.object({
  State: z.string().default('ENABLED'),
  ScheduleExpression: z.string().optional(),
  EventPattern: z.record(z.string(), z.unknown()).optional(),
  Targets: z
    .array(
      z.object({
        Arn: z.string(),
        Input: z.string().optional(),
        InputPath: z.string().optional(),
        InputTransformer: z.unknown().optional(),
        DeadLetterConfig: z.object({ Arn: z.string() }).optional(),
      }),
    )
    .default([]),
});

export type RuleTarget = { readonly arn: string; readonly input: string | null; readonly deadLetterArn: string | null };

/** An EventBridge rule: it runs its targets on a schedule, or for each event that matches the pattern. */
export type Rule = {
  readonly name: string;
  readonly arn: string;
  readonly scheduleExpression: string | null;
  readonly eventPattern: Readonly<Record<string, unknown>> | null;
  readonly targets: readonly RuleTarget[];
};

/** Collects the enabled EventBridge rules. */
export function readRules(resources: readonly Resource[]): Rule[] {
  return resources
    .filter(({ type }) => type === 'AWS::Events::Rule')
    .map((resource) => ({ resource, parsed: ruleSchema.parse(resource.properties) }))
    .filter(({ parsed }) => parsed.State !== 'DISABLED')
    .map(({ resource, parsed }) => {
      for (const target of parsed.Targets) {
        if (target.InputPath ?? target.InputTransformer) {
          throw new Error(
            `Rule ${resource.name} transforms its input, which does not run locally: give a constant input`,
          );
        }
      }
      return {
        name: resource.name,
        arn: resource.arn,
        scheduleExpression: parsed.ScheduleExpression ?? null,
        eventPattern: parsed.EventPattern ?? null,
        targets: parsed.Targets.map(({ Arn, Input, DeadLetterConfig }) => ({
          arn: Arn,
          input: Input ?? null,
          deadLetterArn: DeadLetterConfig?.Arn ?? null,
        })),
      };
    });
}
