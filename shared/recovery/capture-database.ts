import type { ObjectStore } from '../backup/objects/object-store.ts';
import {
  type CaptureDependencies,
  type CaptureSummary,
  captureChanges,
  captureDefaults,
} from '../changes/capture/capture.ts';
import type { GuardLimits } from '../changes/guard/decide.ts';
import { enforceGuard } from '../changes/guard/guard.ts';
import { turnOff } from '../changes/setup/turn-on.ts';
import { OperationError } from '../errors.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import { withConnection } from '../postgres/with-connection.ts';
import { readRecovery, recordCapture, recordClosed } from '../state/recovery.ts';
import { type AlertDependencies, alertWindowClosed } from './window-alert.ts';

export interface CaptureDatabaseDependencies extends AlertDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  limits: GuardLimits;
  compressionLevel: number;
  /** How long it may begin further reads, in milliseconds. */
  timeMs: number;
  signal: AbortSignal;
  onDefinitions?: CaptureDependencies['onDefinitions'];
}

/** What a run has done for one database. */
export type CaptureReport =
  | { status: 'off' }
  /** The window has ended, with the reason. */
  | { status: 'closed'; reason: string }
  | (CaptureSummary & { warning: string | null });

/** A moment can be restored only when a segment reaches beyond it: one is written at least this often, even if it is empty. */
const EMPTY_AFTER_MS = 300_000;

const GUARD_TIMEOUT_MS = 20_000;

/**
 * One run for one database: first the guard, so that a server whose changes cannot be captured is not filled with log, then the
 * capture. A window that ends leaves nothing on the server.
 *
 * @throws OperationError as {@link captureChanges}; the next run goes on
 */
export async function captureDatabase(
  database: string,
  dependencies: CaptureDatabaseDependencies,
): Promise<CaptureReport> {
  const { target, store, table, limits, compressionLevel, timeMs, signal, onDefinitions } = dependencies;
  const recovery = await readRecovery(table, database);
  if (!recovery || recovery.closed) return { status: 'off' };
  const of = { database, slot: recovery.slot };
  const began = new Date();
  const guarded = await withConnection(target, { statementTimeoutMs: GUARD_TIMEOUT_MS }, (client) =>
    enforceGuard(client, of.slot, limits),
  );
  if (guarded.action === 'drop' || guarded.action === 'lost') {
    return close(of, guarded.reason ?? '', dependencies);
  }
  const storedAt = Date.parse(recovery.stored_at ?? recovery.turned_on_at);
  const settings = {
    ...captureDefaults,
    compressionLevel,
    timeMs,
    ...(began.getTime() - storedAt >= EMPTY_AFTER_MS ? { emptyAfterBytes: 0 } : {}),
  };
  try {
    const summary = await captureChanges(of, { target, store, settings, signal, onDefinitions });
    const at = began.toISOString();
    await recordCapture(table, of, {
      ...(summary.caughtUp ? { captured_at: at } : {}),
      ...(summary.segments > 0 ? { stored_at: at } : {}),
    });
    return { ...summary, warning: guarded.reason };
  } catch (error) {
    const isOver = error instanceof OperationError && (error.code === 'slot_missing' || error.code === 'slot_lost');
    if (!isOver) throw error;
    return close(of, error.message, dependencies);
  }
}

async function close(
  of: { database: string; slot: string },
  reason: string,
  dependencies: CaptureDatabaseDependencies,
): Promise<CaptureReport> {
  const now = new Date();
  // Cleared away before it is said: what fails here, the next run does again.
  await turnOff(of.database, dependencies);
  if (await recordClosed(dependencies.table, of, { at: now.toISOString(), reason })) {
    await alertWindowClosed(dependencies, of.database, reason, now);
  }
  return { status: 'closed', reason };
}
