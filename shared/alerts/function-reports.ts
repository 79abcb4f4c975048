import * as z from 'zod';
import type { LogEvents } from '../aws/read-subscription.ts';

/** What can be wrong with a function: it failed, took nearly all of its time, or was not started for want of concurrency. */
export type FunctionTrouble = 'errors' | 'duration' | 'throttles';

/** How much of its time a function may take before somebody should look at it. */
export const LONG = 0.9;
/** Lambda's name of the log group of a function begins so. */
export const LOG_GROUPS = '/aws/lambda/';

/**
 * The filter of a function's log group that lets through Lambda's reports of invocations that failed, or took nearly all of their time.
 * A durable function takes all of its time by design, and goes on with another invocation.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html (platform.report)
 */
export function reportFilter({ timeoutMs, isDurable }: { timeoutMs: number; isDurable: boolean }): string {
  const bad = '$.record.status != "success"';
  const wanted = isDurable ? bad : `(${bad} || $.record.metrics.durationMs >= ${timeoutMs * LONG})`;
  return `{ $.type = "platform.report" && ${wanted} }`;
}

const reportSchema = z.object({
  type: z.literal('platform.report'),
  record: z.object({
    requestId: z.string(),
    status: z.enum(['success', 'failure', 'error', 'timeout']),
    errorType: z.string().optional(),
    metrics: z.object({ durationMs: z.number() }),
  }),
});

export interface TroubledFunction {
  readonly name: string;
  readonly trouble: FunctionTrouble;
  /** When it was last so. */
  readonly at: Date;
  readonly detail: string;
}

/**
 * What a delivery of a log group says of its function: each trouble once, with its latest report.
 *
 * @throws ZodError for lines that are no reports: the filter lets none through
 */
export function troublesOf({ logGroup, events }: LogEvents): TroubledFunction[] {
  const name = logGroup.slice(LOG_GROUPS.length);
  const troubles = new Map<FunctionTrouble, TroubledFunction>();
  for (const { at, message } of events) {
    const { record } = reportSchema.parse(JSON.parse(message));
    const { status, errorType, requestId, metrics } = record;
    const trouble = status === 'success' ? 'duration' : 'errors';
    const how = errorType === undefined || status === 'timeout' ? status : `${status}, ${errorType}`;
    const detail = `${how} after ${Math.round(metrics.durationMs)} ms, request ${requestId}`;
    troubles.set(trouble, { name, trouble, at, detail });
  }
  return [...troubles.values()];
}
