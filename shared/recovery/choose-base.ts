import type { ObjectStore } from '../backup/objects/object-store.ts';
import type { Definer } from '../changes/segments/description.ts';
import { toMicroseconds } from '../changes/window/recovery-target.ts';
import type { RecoveryTargetFields } from '../contract/schemas/restore.ts';
import { OperationError } from '../errors.ts';
import type { StateTable } from '../state/table.ts';
import { listBases } from './bases.ts';
import type { Since } from './changed-since.ts';
import { planOnBase } from './plan-on-base.ts';
import { findWithoutIdentity, type WithoutIdentity } from './without-identity.ts';

/** A backup from which a moment is reached. */
export interface ChosenBase {
  backupId: string;
  /** Who ran the commands that are repeated on it, as far as the time allowed to look. */
  definers: readonly Definer[];
  /** Tables whose rows the replay could not tell apart. */
  withoutIdentity: readonly WithoutIdentity[];
  /** What comes later than the moment; null where the time did not allow to look. */
  since: Since | null;
}

/** Why another backup is tried: this one is too new, or its changes are not stored. */
const TRY_ANOTHER = new Set(['target_before_base', 'base_not_covered']);

/**
 * Finds the backup from which a moment is reached: the newest full one before it, unless the request names one. What the time did not
 * allow to plan is taken as it is: the job plans again, and refuses then.
 *
 * @param signal - ends the planning
 * @throws OperationError `no_base`, or why the moment cannot be reached: see `planReplay`
 */
export async function chooseBase(
  { database, backupId }: { database: string; backupId: string | undefined },
  recovery: RecoveryTargetFields,
  { table, store, signal }: { table: StateTable; store: ObjectStore; signal: AbortSignal },
): Promise<ChosenBase> {
  const { point_in_time: time } = recovery;
  const newestFirst = (await listBases(table, database)).reverse();
  const bases = newestFirst.filter(({ id, snapshot_at }) => {
    if (backupId !== undefined) return id === backupId;
    return time === undefined || Date.parse(snapshot_at) <= Date.parse(time);
  });
  let refusal: OperationError | null = null;
  for (const base of bases) {
    try {
      const { of, plan } = await planOnBase(base, recovery, { table, store, signal });
      const { lastCommit, from, snapshot } = plan;
      // The catalog's time has milliseconds.
      const takenAt = toMicroseconds(new Date(Date.parse(base.snapshot_at) + 1).toISOString());
      const seen = lastCommit === null ? { snapshot, takenAt } : null;
      const withoutIdentity = await findWithoutIdentity(plan, { store, signal });
      return {
        backupId: base.id,
        definers: plan.definers,
        withoutIdentity,
        since: { of, after: lastCommit ?? from, base: seen },
      };
    } catch (error) {
      if (signal.aborted) return { backupId: base.id, definers: [], withoutIdentity: [], since: null };
      if (!(error instanceof OperationError) || !TRY_ANOTHER.has(error.code)) throw error;
      refusal ??= error;
    }
  }
  if (refusal) throw refusal;
  throw new OperationError(
    'no_base',
    backupId === undefined
      ? 'There is no full backup from before the moment'
      : `${backupId} is no available full backup of the whole database, so that changes could be repeated on it`,
    'See the earliest moment in GET recovery-window; it is that of a full backup.',
  );
}
