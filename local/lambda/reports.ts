import type { Outcome } from './instance.ts';

/** What Lambda reports of an invocation, in the log of its function. */
export type Report = {
  readonly requestId: string;
  readonly status: 'success' | 'error' | 'failure' | 'timeout';
  readonly errorType?: string;
  readonly durationMs: number;
};

/** How an invocation ended, as Lambda reports it. */
export function reportOf(requestId: string, outcome: Outcome, durationMs: number): Report {
  if (outcome.ok) return { requestId, status: 'success', durationMs };
  const { errorType } = outcome.error;
  if (errorType === 'Sandbox.Timedout') return { requestId, status: 'timeout', durationMs };
  // What the runtime itself says begins so; all else was thrown by the handler.
  return { requestId, status: errorType.startsWith('Runtime.') ? 'error' : 'failure', errorType, durationMs };
}

/** A report as Lambda writes it into a log in JSON format. */
export function reportLine({ requestId, status, errorType, durationMs }: Report, memoryMegabytes: number): string {
  const metrics = { durationMs, billedDurationMs: Math.ceil(durationMs), memorySizeMB: memoryMegabytes };
  const record = { requestId, metrics, status, ...(errorType === undefined ? {} : { errorType }) };
  return JSON.stringify({ time: new Date().toISOString(), type: 'platform.report', record });
}
