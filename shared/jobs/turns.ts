import type { NewJobError } from '../contract/schemas/job.ts';
import { OperationError } from '../errors.ts';
import { isEnded, type JobStore } from '../state/jobs.ts';
import type { PlaceStore } from '../state/places.ts';
import type { DurableSteps } from './attempts.ts';
import { bookkeep } from './bookkeeping.ts';

/** Before the first further tries, in seconds; then a minute each, then ten. Each try takes two durable operations. */
const FIRST_WAITS = [2, 5, 10, 20, 30];
const MINUTE_TRIES = 30;
/** With all their waits more than half a day. */
const MAX_TRIES = 105;

const secondsBefore = (attempt: number): number => FIRST_WAITS[attempt] ?? (attempt < MINUTE_TRIES ? 60 : 600);

/**
 * Asks for something that others have, again and again: waiting costs nothing.
 *
 * @param ask - null: there is none; safe to repeat
 * @param first - what was answered already, where somebody has asked
 * @returns null when it was not there for half a day
 */
export async function waitForTurn<Given>(
  steps: DurableSteps,
  name: string,
  ask: () => Promise<Given | null>,
  first: Given | null = null,
): Promise<Given | null> {
  let given = first;
  for (let attempt = 0; given === null && attempt < MAX_TRIES; attempt++) {
    await steps.wait(`${name}-turn-wait-${attempt + 1}`, secondsBefore(attempt));
    given = await bookkeep(steps, `${name}-turn-${attempt + 1}`, ask);
  }
  return given;
}

/**
 * Begins a job when it is its turn.
 *
 * @param start - false: the job was cancelled meanwhile; null: as many as may run are running
 * @param first - what `start` has answered already, where it was called
 * @returns false when the job was cancelled before it began
 * @throws OperationError `no_turn` when others ran for half a day
 */
export async function startInTurn(
  steps: DurableSteps,
  start: () => Promise<boolean | null>,
  first?: boolean | null,
): Promise<boolean> {
  const answer = first === undefined ? await bookkeep(steps, 'start', start) : first;
  const started = await waitForTurn(steps, 'start', start, answer);
  if (started === null) throw new OperationError('no_turn', NO_TURN.message, NO_TURN.next_step);
  return started;
}

/** Marks a job as running if there is a place for it; see {@link startInTurn}. */
export async function startIfFree(
  jobId: string,
  { jobs, places, capacity }: { jobs: JobStore; places: PlaceStore; capacity: number },
): Promise<boolean | null> {
  if (!isEnded(await jobs.get(jobId))) {
    const taken = await places.take('jobs', { jobId, least: 1, most: 1, capacity });
    if (taken === 0) return null;
  }
  return jobs.start(jobId);
}

export const NO_TURN: NewJobError = {
  code: 'no_turn',
  message: 'Other jobs used the configured share of the account’s concurrent executions for half a day',
  next_step: 'See which jobs run with GET jobs; raise concurrency.quota if the account has more than is configured.',
};
