import * as z from 'zod';
import type { DownloadState } from '../backup/download/write-download.ts';
import { databaseIdSchema } from '../configuration/runtime.ts';
import { backupIdSchema } from '../contract/schemas/backup.ts';
import { type DownloadFile, downloadFormatSchema } from '../contract/schemas/download.ts';
import { type JobError, jobIdSchema, type NewJobError, type Progress } from '../contract/schemas/job.ts';
import { DAY_MS } from '../time.ts';
import { type DurableSteps, goOnAfresh, type Outcome, runAttempts } from './attempts.ts';
import { bookkeep } from './bookkeeping.ts';
import { CANCELLED } from './cancellation.ts';
import { startInTurn } from './turns.ts';

/** What starts the durable function that makes the file of a download. */
export const downloadEventSchema = z.object({
  database: databaseIdSchema,
  backup_id: backupIdSchema,
  format: downloadFormatSchema,
  job_id: jobIdSchema,
});

export type DownloadEvent = z.output<typeof downloadEventSchema>;

/** How long a file is kept. */
const KEPT_MS = DAY_MS;

/** What a piece of the work came to: a finished file, or how far it is and whether the invocation's time is over. */
export type Written = { bytes: number } | { state: DownloadState; pause: boolean };

/** What the job needs from the world; see functions/download.ts. */
export interface DownloadJobDependencies {
  /** @returns false when the job was cancelled before it began; null: it is not its turn yet */
  start(jobId: string): Promise<boolean | null>;
  begin(event: DownloadEvent): Promise<DownloadState>;
  /** Works for some minutes. */
  write(event: DownloadEvent, state: DownloadState, report: (progress: Progress) => Promise<void>): Promise<Written>;
  /** Removes what is stored of a file that is given up. */
  abort(event: DownloadEvent, state: DownloadState): Promise<void>;
  report(jobId: string, progress: Progress): Promise<void>;
  succeed(jobId: string, file: DownloadFile): Promise<void>;
  fail(jobId: string, error: JobError): Promise<void>;
  cancelled(jobId: string): Promise<void>;
}

/** With one operation each it stays below the 3,000 that Lambda allows for an execution. */
const MAX_ROUNDS = 1000;

/**
 * The durable job that makes the file of a download, over as many invocations as it takes. How far it is, is recorded every few
 * minutes, so an invocation that is ended costs no more than these.
 */
export async function runDownloadJob(
  event: DownloadEvent,
  steps: DurableSteps,
  dependencies: DownloadJobDependencies,
): Promise<{ job_id: string; status: 'succeeded' | 'failed' | 'cancelled' }> {
  const { job_id, format } = event;
  if (!(await startInTurn(steps, () => dependencies.start(job_id)))) return { job_id, status: 'cancelled' };
  let state: DownloadState | undefined;
  const begun = await runAttempts(steps, 'begin', () => dependencies.begin(event));
  let outcome: Outcome<unknown> = begun;
  if (begun.status === 'done') {
    state = begun.result;
    for (let round = 1; round <= MAX_ROUNDS; round++) {
      const from: DownloadState = state;
      const written: Outcome<Written> = await runAttempts(steps, `write-${round}`, () =>
        dependencies.write(event, from, (progress) => dependencies.report(job_id, progress)),
      );
      outcome = written;
      if (written.status === 'failed') break;
      if ('bytes' in written.result) {
        const { bytes } = written.result;
        await bookkeep(steps, 'record', () => {
          const expiresAt = new Date(Date.now() + KEPT_MS).toISOString();
          return dependencies.succeed(job_id, { format, bytes, expires_at: expiresAt });
        });
        return { job_id, status: 'succeeded' };
      }
      state = written.result.state;
      if (written.result.pause) await goOnAfresh(steps, `pause-${round}`);
    }
  }
  const given = state;
  // What stays is removed by the daily sweep.
  if (given) await runAttempts(steps, 'abort', () => dependencies.abort(event, given));
  const error = outcome.status === 'failed' ? outcome.error : tooLong;
  const wasCancelled = error.code === CANCELLED;
  await bookkeep(steps, 'record', () =>
    wasCancelled ? dependencies.cancelled(job_id) : dependencies.fail(job_id, error),
  );
  return { job_id, status: wasCancelled ? 'cancelled' : 'failed' };
}

const tooLong: NewJobError = {
  code: 'time_exceeded',
  message: `The file was not complete after ${MAX_ROUNDS} pieces of work`,
  next_step: 'Fetch the encrypted objects with format=objects, or restore the backup.',
};
