import { setTimeout as wait } from 'node:timers/promises';
import { type Job, jobSchema } from '../shared/contract/schemas/job.ts';

const POLL_MS = 1_000;
/** Answers in a row that may fail before the job is left to itself. */
const MAX_FAILURES = 15;
const REQUEST_MS = 30_000;
const ENDED: readonly Job['status'][] = ['succeeded', 'failed', 'cancelled'];

export type Api = { address: string; token: string };

/**
 * Calls a route that answers with a job.
 *
 * @throws Error with what the API said
 */
export async function askForJob({ address, token }: Api, method: 'GET' | 'POST', path: string): Promise<Job> {
  const response = await fetch(address.replace(/\/+$/, '') + path, {
    method,
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(REQUEST_MS),
  });
  const text = await response.text();
  if (response.ok) return jobSchema.parse(JSON.parse(text));
  const { detail, next_step } = problemIn(text);
  const reason = `${response.status}: ${detail ?? 'no answer of this API'}${next_step ? `. ${next_step}` : ''}`;
  // What a caller did wrong is no better the next time.
  throw Object.assign(new Error(reason), { isFinal: response.status < 500 && response.status !== 429 });
}

function problemIn(text: string): { detail?: string; next_step?: string } {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/**
 * Asks for a job each second until it has ended.
 *
 * @param seen - receives each answer
 * @throws Error when the API refuses the call, or fails again and again
 */
export async function followJob(api: Api, id: string, seen: (job: Job) => void = () => undefined): Promise<Job> {
  for (let failures = 0; ; ) {
    try {
      const job = await askForJob(api, 'GET', `/jobs/${encodeURIComponent(id)}`);
      seen(job);
      if (ENDED.includes(job.status)) return job;
      failures = 0;
    } catch (error) {
      failures += 1;
      if (failures === MAX_FAILURES || (error as { isFinal?: boolean }).isFinal) throw error;
    }
    await wait(POLL_MS);
  }
}
