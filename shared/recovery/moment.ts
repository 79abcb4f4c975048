import type { RecoveryTarget } from '../changes/window/recovery-target.ts';
import type { RecoveryTargetFields } from '../contract/schemas/restore.ts';

/** Parts a request into the moment that it names and everything else. */
export function splitMoment<Fields extends RecoveryTargetFields>({
  point_in_time,
  lsn,
  transaction,
  inclusive,
  ...options
}: Fields): { recovery: RecoveryTargetFields | undefined; options: Omit<Fields, keyof RecoveryTargetFields> } {
  const given = { point_in_time, lsn, transaction, inclusive };
  const isNamed = point_in_time !== undefined || lsn !== undefined || transaction !== undefined;
  return { recovery: isNamed ? given : undefined, options };
}

/** The moment in the words of the replay. @throws Error when none is named */
export function recoveryTargetOf({ point_in_time, lsn, transaction, inclusive }: RecoveryTargetFields): RecoveryTarget {
  const how = inclusive === undefined ? {} : { inclusive };
  if (point_in_time !== undefined) return { time: point_in_time, ...how };
  if (lsn !== undefined) return { lsn: lsn.toUpperCase(), ...how };
  if (transaction !== undefined) return { transaction: BigInt(transaction), ...how };
  throw new Error('No moment is named');
}
