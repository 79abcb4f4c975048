import type { RestoreDependencies } from '../backup/restore/run-restore.ts';
import type { RestoreOptions } from '../backup/restore/tailor.ts';
import { type ReplayDependencies, replayChanges } from '../changes/replay/replay.ts';
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
    parse,
    isPart,
    owners,
  }: Pick<ReplayDependencies, 'store' | 'signal' | 'parse' | 'owners'> & { target: ConnectionTarget; isPart: boolean },
): NonNullable<RestoreDependencies['replay']> {
  return async (database, finish, leftOut, filling = target) => {
    const selection = isPart ? { isLeftOut: () => false } : undefined;
    const request = { ...plan, selection, missing: leftOut };
    const dependencies = { target: filling, database, store, signal, parse, owners, finish };
    const { warnings } = await replayChanges(request, dependencies);
    return warnings;
  };
}

/** To whom a restore with these options gives what it restores, for the commands that are repeated after it. */
export function ownersOf({ withoutOwners = false, ownerMapping = {} }: RestoreOptions): ReplayDependencies['owners'] {
  const roleOf = (role: string): string => (Object.hasOwn(ownerMapping, role) ? (ownerMapping[role] ?? role) : role);
  return { ownersLeftOut: withoutOwners, roleOf };
}
