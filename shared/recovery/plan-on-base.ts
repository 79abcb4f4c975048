import type { ObjectStore } from '../backup/objects/object-store.ts';
import { type ChangesOf, listSlots } from '../changes/segments/stored-segments.ts';
import type { Covered } from '../changes/window/coverage.ts';
import { type PlannedReplay, planReplay } from '../changes/window/plan-replay.ts';
import type { Backup } from '../contract/schemas/backup.ts';
import type { RecoveryTargetFields } from '../contract/schemas/restore.ts';
import { OperationError } from '../errors.ts';
import { findEndedWindow } from '../state/ended-windows.ts';
import { readRecovery } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { readSnapshot } from './bases.ts';
import { recoveryTargetOf } from './moment.ts';

/** What is to be replayed on a base, and whose changes it is. */
export interface PlannedRecovery {
  of: ChangesOf;
  plan: PlannedReplay;
}

/**
 * Plans how a backup is brought to a moment, by the changes of whichever slot follow it: each time that point-in-time recovery is turned
 * on makes another.
 *
 * @throws OperationError as {@link planReplay}, or of the store; `window_ends` also when the moment is beyond the end of a window that is
 *   captured no longer
 */
export async function planOnBase(
  base: Pick<Backup, 'id' | 'database'>,
  recovery: RecoveryTargetFields,
  { table, store, signal }: { table: StateTable; store: ObjectStore; signal: AbortSignal },
): Promise<PlannedRecovery> {
  const { database } = base;
  const target = recoveryTargetOf(recovery);
  const snapshot = await readSnapshot(store, base, signal);
  let refusal = notCovered();
  for (const slot of (await listSlots(store, database)).reverse()) {
    const of = { database, slot };
    try {
      const covered = await coveredOf(table, of);
      return { of, plan: await planReplay(store, of, snapshot, target, signal, { covered }) };
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      if (error.code === 'target_not_covered') throw await explainEnd(error, table, of);
      if (error.code !== 'base_not_covered') throw error;
      refusal = error;
    }
  }
  throw refusal;
}

/** What the last run has found that captured the changes of a slot, be it in use or not. */
async function coveredOf(table: StateTable, of: ChangesOf): Promise<Covered | null> {
  const recovery = await readRecovery(table, of.database);
  const known = recovery?.slot === of.slot ? recovery : await findEndedWindow(table, of);
  return known?.covered ?? null;
}

/** What was not captured until a window ended never will be. */
async function explainEnd(error: OperationError, table: StateTable, of: ChangesOf): Promise<OperationError> {
  const ended = await findEndedWindow(table, of);
  if (!ended) return error;
  return new OperationError(
    'window_ends',
    `${error.message}. They were captured until ${ended.at}: ${ended.reason}`,
    'Restore to an earlier moment, or to one after the next full backup.',
    { cause: error },
  );
}

function notCovered(): OperationError {
  return new OperationError(
    'base_not_covered',
    'No changes of the database are stored',
    'Turn point-in-time recovery on with PUT recovery, or restore the backup alone.',
  );
}
