import type { IncrementManifest } from '../backup/increment-manifest.ts';
import { readRecovery } from '../state/recovery.ts';
import { recoveryOff } from './increment-possible.ts';
import { markLog } from './log-mark.ts';
import { type IncrementRequest, sealIncrement } from './seal-increment.ts';
import { type StoreChangesDependencies, storeChanges } from './store-changes.ts';

/** Takes an incremental backup, as far as it can be done at once. */
export type IncrementRound =
  | { status: 'taken'; manifest: IncrementManifest }
  /** Another run has the slot, there is more to capture, or the base is too new. */
  | { status: 'waiting'; reason: string };

/**
 * Captures what has been committed, and seals what was captured since the backup before it. To be repeated until it is taken.
 *
 * @throws OperationError `recovery_off`, or as {@link storeChanges} and {@link sealIncrement}
 */
export async function takeIncrement(
  request: IncrementRequest,
  dependencies: StoreChangesDependencies,
): Promise<IncrementRound> {
  const { database } = request;
  const recovery = await readRecovery(dependencies.table, database);
  if (!recovery || recovery.closed) throw recoveryOff(database, recovery?.closed?.reason);
  await markLog(dependencies.target);
  const { slot } = recovery;
  const { status, caughtUp, position } = await storeChanges({ database, slot }, true, dependencies);
  if (status === 'busy') return { status: 'waiting', reason: 'another run is capturing changes' };
  if (!caughtUp) return { status: 'waiting', reason: 'there were more changes than one round can capture' };
  const manifest = await sealIncrement(request, { recovery, position }, dependencies);
  if (manifest) return { status: 'taken', manifest };
  return { status: 'waiting', reason: 'the full backup that it is to follow is too new' };
}
