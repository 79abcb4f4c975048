import { OperationError } from '../errors.ts';
import { AUDIT_UNAVAILABLE } from '../security/audit/chain.ts';
import type { DurableSteps } from './attempts.ts';

/** Waits before each further try, in seconds: a table that is throttled or out of reach for a quarter of an hour loses nothing. */
const WAIT_SECONDS = [2, 10, 30, 60, 120, 300, 300];

type Written<Result> = { status: 'written'; result: Result } | { status: 'refused'; final: boolean; message: string };

/**
 * Writes down how a job stands, and tries again for a while when the State table does not answer: what was done in hours must not
 * be lost for a note of it.
 *
 * @param write - safe to repeat
 * @throws Error when it is refused, or cannot be written at last; the end of the execution then marks the job as failed
 */
export async function bookkeep<Result>(
  steps: DurableSteps,
  name: string,
  write: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    const step = attempt === 1 ? name : `${name}-${attempt}`;
    const written = await steps
      .step(step, () => tryTo(() => steps.audited(name, write)))
      .catch((): Written<Result> => ({ status: 'refused', final: false, message: 'The function was ended meanwhile' }));
    if (written.status === 'written') return written.result;
    const seconds = WAIT_SECONDS[attempt - 1];
    if (written.final || seconds === undefined) throw new Error(written.message);
    await steps.wait(`${name}-wait-${attempt}`, seconds);
  }
}

async function tryTo<Result>(write: () => Promise<Result>): Promise<Written<Result>> {
  try {
    return { status: 'written', result: await write() };
  } catch (error) {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const final = error instanceof OperationError && error.code !== AUDIT_UNAVAILABLE;
    return { status: 'refused', final, message };
  }
}
