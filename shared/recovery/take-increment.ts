import type { IncrementManifest } from '../backup/increment-manifest.ts';
import type { LinesRead } from '../changes/capture/read-changes.ts';
import { type ReportProgress, startProgress } from '../progress/progress.ts';
import { readRecovery } from '../state/recovery.ts';
import { recoveryOff } from './increment-possible.ts';
import { markLog } from './log-mark.ts';
import { type IncrementRequest, sealIncrement } from './seal-increment.ts';
import { type StoreChangesDependencies, storeChanges } from './store-changes.ts';

/** Takes an incremental backup, as far as it can be done at once. */
export type IncrementRound =
  | { status: 'taken'; manifest: IncrementManifest }
  /** Another run has the slot, there is more to capture, or the base is too new. */
  | { status: 'waiting'; reason: string; captured: LinesRead };

export interface TakeIncrementDependencies extends StoreChangesDependencies {
  /** By the rounds before. */
  captured: LinesRead;
  report: ReportProgress;
}

/**
 * Captures what has been committed, and seals what was captured since the backup before it. To be repeated until it is taken.
 *
 * @throws OperationError `recovery_off`, or as {@link storeChanges} and {@link sealIncrement}
 */
export async function takeIncrement(
  request: IncrementRequest,
  { captured: before, report, ...dependencies }: TakeIncrementDependencies,
): Promise<IncrementRound> {
  const { database } = request;
  const recovery = await readRecovery(dependencies.table, database);
  if (!recovery || recovery.closed) throw recoveryOff(database, recovery?.closed?.reason);
  const progress = startProgress(report);
  const count = ({ bytes, changes }: LinesRead): void => progress.add({ bytes, rows: changes });
  try {
    count(before);
    progress.phase('changes');
    await markLog(dependencies.target);
    const { slot } = recovery;
    const stored = await storeChanges({ database, slot }, true, { ...dependencies, onRead: count });
    const captured = { bytes: before.bytes + stored.bytes, changes: before.changes + stored.changes };
    const wait = (reason: string): IncrementRound => ({ status: 'waiting', reason, captured });
    if (stored.status === 'busy') return wait('another run is capturing changes');
    if (!stored.caughtUp) return wait('there were more changes than one round can capture');
    progress.phase('finishing');
    const manifest = await sealIncrement(request, { recovery, position: stored.position }, dependencies);
    if (!manifest) return wait('the full backup that it is to follow is too new');
    // What was captured each minute, before this began, is in it as well.
    const { bytes, tables } = manifest.totals;
    count({ bytes: bytes - captured.bytes, changes: manifest.increment.changes - captured.changes });
    progress.add({ tables });
    progress.settle();
    return { status: 'taken', manifest };
  } finally {
    await progress.close();
  }
}
