import { OperationError } from '../errors.ts';
import { type Recovery, readRecovery } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { type Base, listBases } from './bases.ts';
import { basesSince } from './windows.ts';

/**
 * Says why no incremental backup of a database can be taken now, as far as the State table tells: its changes are not captured, or
 * no full backup is there that they follow.
 *
 * @returns OperationError `recovery_off` or `no_base`; null when one can be taken
 */
export async function incrementObstacle(table: StateTable, database: string): Promise<OperationError | null> {
  const recovery = await readRecovery(table, database);
  if (!recovery || recovery.closed) return recoveryOff(database, recovery?.closed?.reason);
  return basesOf(recovery, await listBases(table, database)).length > 0 ? null : noBase(database);
}

/** Backups that may have been taken since the slot was made, oldest first; what each has seen says whether the changes follow it. */
export function basesOf({ turned_on_at: since }: Recovery, bases: readonly Base[]): Base[] {
  return basesSince(Date.parse(since), bases);
}

/** @param reason - why the capture has ended by itself, if it has */
export function recoveryOff(database: string, reason?: string): OperationError {
  return new OperationError(
    'recovery_off',
    `An incremental backup holds captured changes, and those of ${database} are not captured: point-in-time recovery ${reason === undefined ? 'is off' : `has ended: ${reason}`}`,
    'Turn it on with PUT recovery and {"enabled": true}, and take a full backup; incremental ones follow it.',
  );
}

export function noBase(database: string): OperationError {
  return new OperationError(
    'no_base',
    `There is no full backup of ${database} from after point-in-time recovery was turned on, which an incremental one could follow`,
    'Take one with POST backups and {"backup_type": "full"}.',
  );
}
