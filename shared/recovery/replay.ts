import type { ObjectStore } from '../backup/objects/object-store.ts';
import type { RestoreDependencies } from '../backup/restore/run-restore.ts';
import { replayChanges } from '../changes/replay/replay.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import type { PlannedRecovery } from './plan-on-base.ts';

/**
 * The replay of a planned recovery, as a part of a restore.
 *
 * @param isPart - only some tables are restored: changes of others are passed over
 */
export function replayOf(
  { plan }: PlannedRecovery,
  {
    target,
    store,
    signal,
    isPart,
  }: { target: ConnectionTarget; store: ObjectStore; signal: AbortSignal; isPart: boolean },
): NonNullable<RestoreDependencies['replay']> {
  return async (database, finish, leftOut, filling = target) => {
    const selection = isPart ? { isLeftOut: () => false } : undefined;
    const request = { ...plan, selection, missing: leftOut };
    const { warnings } = await replayChanges(request, { target: filling, database, store, signal, finish });
    return warnings;
  };
}
