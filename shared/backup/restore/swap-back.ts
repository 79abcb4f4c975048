import type { Job, Swap } from '../../contract/schemas/job.ts';
import { OperationError } from '../../errors.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { openServerSession } from './server-session.ts';
import { datedName, presentDatabases, swapDatabases } from './swap.ts';

/**
 * Gives the database that a restore's swap replaced its name again. The restored one is kept under a dated name.
 *
 * @param target - the server that the job restored to
 * @returns what the job's `swap` is from now on
 * @throws OperationError `not_swapped` when there is nothing to swap back, `kept_database_missing`, `swap_refused`, or as `connect`
 */
export async function swapBack(
  job: Pick<Job, 'id' | 'status' | 'swap' | 'target_database'>,
  target: ConnectionTarget,
  now: Date = new Date(),
): Promise<Swap> {
  const { swap, target_database: live } = job;
  if (job.status !== 'succeeded' || !swap || live === null || swap.swapped_back_at !== null) {
    throw new OperationError(
      'not_swapped',
      swap?.swapped_back_at
        ? `The job ${job.id} was swapped back at ${swap.swapped_back_at}`
        : `The job ${job.id} has not swapped databases`,
      'Give the id of a succeeded restore with "mode": "swap".',
    );
  }
  const { kept_database: replacement } = swap;
  const away = datedName(live, 'restored', job.id);
  const done: Swap = { kept_database: away, swapped_back_at: now.toISOString() };
  const besides = [live, replacement];
  const renaming = await openServerSession(target, besides);
  try {
    const present = await presentDatabases(renaming, [replacement, away]);
    // An earlier call ended between the swap and the record of it.
    if (!present.has(replacement) && present.has(away)) return done;
    if (!present.has(replacement)) {
      throw new OperationError(
        'kept_database_missing',
        `The database "${replacement}", which the restore kept, is no longer there`,
        'Restore a backup of it.',
      );
    }
    const ending = await openServerSession(target, besides);
    await swapDatabases(renaming, ending, { live, away, replacement }).finally(() =>
      ending.end().catch(() => undefined),
    );
    return done;
  } finally {
    await renaming.end().catch(() => undefined);
  }
}
