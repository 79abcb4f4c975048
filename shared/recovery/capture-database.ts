import type { CaptureSummary } from '../changes/capture/capture.ts';
import type { GuardLimits } from '../changes/guard/decide.ts';
import { enforceGuard } from '../changes/guard/guard.ts';
import { turnOff } from '../changes/setup/turn-on.ts';
import { OperationError } from '../errors.ts';
import { withConnection } from '../postgres/with-connection.ts';
import { readRecovery, recordClosed } from '../state/recovery.ts';
import { type StoreChangesDependencies, storeChanges } from './store-changes.ts';
import { type AlertDependencies, alertWindowClosed } from './window-alert.ts';

export interface CaptureDatabaseDependencies extends AlertDependencies, StoreChangesDependencies {
  limits: GuardLimits;
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
 * @throws OperationError as {@link storeChanges}; the next run goes on
 */
export async function captureDatabase(
  database: string,
  dependencies: CaptureDatabaseDependencies,
): Promise<CaptureReport> {
  const { target, table, limits } = dependencies;
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
  try {
    const summary = await storeChanges(of, began.getTime() - storedAt >= EMPTY_AFTER_MS, dependencies);
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
