import { bytesToLsn, compareLsn, type Lsn, lsnToBytes } from '../changes/lsn.ts';
import { isSeen, type TransactionSnapshot } from '../changes/transaction-ids.ts';
import type { LatestMoment } from '../changes/window/coverage.ts';
import { microsecondBefore } from '../changes/window/recovery-target.ts';
import type { Obstacle } from '../state/recovery.ts';

/** Where the replay on a base begins. */
export interface Beginning {
  snapshot: TransactionSnapshot;
  from: Lsn;
}

/** Whether a replay on a base meets a change of definitions, rather than having it in the base. */
export function isAhead({ lsn, xid }: Pick<Obstacle, 'lsn' | 'xid'>, { snapshot, from }: Beginning): boolean {
  return compareLsn(lsn, from) > 0 && !isSeen(snapshot, BigInt(xid));
}

/** The last moment before a change of definitions that ends the window, where that is earlier than the last one. */
export function latestBefore({ at, lsn }: Obstacle, latest: LatestMoment): LatestMoment {
  const [time = latest.time] = [microsecondBefore(at), latest.time].sort();
  const before = bytesToLsn(lsnToBytes(lsn) - 1n);
  if (latest.lsn === null) return { time, lsn: null };
  return { time, lsn: compareLsn(before, latest.lsn) < 0 ? before : latest.lsn };
}
