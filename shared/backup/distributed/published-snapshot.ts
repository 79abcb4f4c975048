import { setTimeout } from 'node:timers/promises';
import { knownCode } from '../../core/errors/kinds.ts';
import { OperationError } from '../../errors.ts';
import type { ExportState, ExportStore } from '../../state/exports.ts';
import { snapshotLost } from '../export/explain-failure.ts';
import { isSnapshotGone } from '../export/snapshot.ts';

/** Between two looks a holder may have gone and its successor come. */
const LOOKS = 3;
const LOOK_AGAIN_MS = 1000;

/**
 * Joins the snapshot of a distributed backup through whichever holder is there; only the server knows which one is.
 *
 * @param join - joins a snapshot by its id
 * @throws OperationError `snapshot_lost` when there is none, or what `join` throws for another reason
 */
export async function joinPublished<Session>(
  exports: Pick<ExportStore, 'get'>,
  id: string,
  join: (snapshotId: string) => Promise<Session>,
): Promise<Session> {
  for (let look = 1; ; look++) {
    const state = await exports.get(id);
    assertKept(state);
    const newestFirst = Object.values(state.holders).sort((one, other) => other.generation - one.generation);
    for (const { snapshot_id } of newestFirst) {
      try {
        return await join(snapshot_id);
      } catch (error) {
        if (!isSnapshotGone(error)) throw error;
      }
    }
    if (look === LOOKS) throw lostBy(state);
    await setTimeout(LOOK_AGAIN_MS);
  }
}

/** @throws OperationError `snapshot_lost`, or the cause that a holder gave, once nobody holds the snapshot */
export function assertKept(state: ExportState): void {
  if (state.lost) throw lostBy(state);
}

/** Why a snapshot was lost: what a holder last complained of, where it did. */
export function lostBy({ trouble }: Pick<ExportState, 'trouble'>): OperationError {
  if (!trouble) return snapshotLost();
  return new OperationError(knownCode(trouble.code, 'export_failed'), trouble.message, trouble.next_step);
}

/** The backup was given up while this invocation was on its way. */
export function exportOver(): OperationError {
  return new OperationError(
    'export_over',
    'The backup that this was a part of has ended',
    'Look at its job for the cause.',
  );
}
