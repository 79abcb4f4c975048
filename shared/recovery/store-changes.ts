import type { ObjectStore } from '../backup/objects/object-store.ts';
import { type CaptureDependencies, captureChanges } from '../changes/capture/capture.ts';
import type { CaptureSummary } from '../changes/capture/capture-once.ts';
import { captureDefaults } from '../changes/capture/settings.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import { readRecovery, recordCapture, recordObstacle, recordUnauthenticatedMessages } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';

export interface StoreChangesDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  table: StateTable;
  compressionLevel: number;
  /** How long it may begin further reads, in milliseconds. */
  timeMs: number;
  signal: AbortSignal;
  onDefinitions?: CaptureDependencies['onDefinitions'];
  onUnauthenticated?: CaptureDependencies['onUnauthenticated'];
  onStreamRefused?: CaptureDependencies['onStreamRefused'];
  onRead?: CaptureDependencies['onRead'];
}

/**
 * Stores what has been committed, and notes how far that is, and what ends the window.
 *
 * @param toTheEnd - also when nothing was changed: a segment then says until when that is so
 * @throws OperationError as {@link captureChanges}; the next run goes on
 */
export async function storeChanges(
  of: { database: string; slot: string },
  toTheEnd: boolean,
  { table, compressionLevel, timeMs, onUnauthenticated, ...dependencies }: StoreChangesDependencies,
): Promise<CaptureSummary> {
  const at = new Date().toISOString();
  const settings = { ...captureDefaults, compressionLevel, timeMs, ...(toTheEnd ? { emptyAfterBytes: 0 } : {}) };
  const recovery = await readRecovery(table, of.database);
  const isUntold = recovery?.slot === of.slot && !recovery.follows_definitions;
  const summary = await captureChanges(of, {
    ...dependencies,
    settings,
    definitions: isUntold ? recovery.definitions : undefined,
    catalog: recovery?.slot === of.slot && recovery.follows_definitions ? recovery.catalog : undefined,
    onUnauthenticated: async (messages) => {
      await onUnauthenticated?.(messages);
      await recordUnauthenticatedMessages(table, of, messages.count, new Date());
    },
    onObstacle: ({ committed_at, lsn, xid, obstacle: reason }) =>
      recordObstacle(table, of.database, { at: committed_at, lsn, xid, reason }, new Date()),
  });
  if (!summary.caughtUp && summary.segments === 0) return summary;
  await recordCapture(table, of, {
    ...(summary.caughtUp ? { captured_at: at } : {}),
    ...(summary.coveredUntil === null ? {} : { covered: { time: summary.coveredUntil, lsn: summary.position } }),
    ...(summary.segments > 0 ? { stored_at: at } : {}),
    ...(isUntold ? { definitions: summary.definitions } : {}),
    ...(summary.catalog === null ? {} : { catalog: summary.catalog }),
  });
  return summary;
}
