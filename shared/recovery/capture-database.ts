import type { CaptureSummary } from '../changes/capture/capture-once.ts';
import type { GuardLimits } from '../changes/guard/decide.ts';
import { enforceGuard } from '../changes/guard/guard.ts';
import type { SetupPlace } from '../changes/setup/check-setup.ts';
import { turnOff } from '../changes/setup/turn-on.ts';
import { OperationError } from '../errors.ts';
import { withConnection } from '../postgres/with-connection.ts';
import { noteEndedWindow } from '../state/ended-windows.ts';
import { type Recovery, readRecovery, recordClosed } from '../state/recovery.ts';
import { DAY_MS } from '../time.ts';
import { type BaseState, ensureBase, type StartBase } from './ensure-base.ts';
import { growingWaitMs } from './growing-wait.ts';
import { withKnownDisk } from './known-disk.ts';
import { renewSlot } from './renew-slot.ts';
import { type StoreChangesDependencies, storeChanges } from './store-changes.ts';
import { type AlertDependencies, alertSlot, alertWindowClosed, resolveSlotAlert } from './window-alert.ts';

export interface CaptureDatabaseDependencies extends AlertDependencies, StoreChangesDependencies {
  limits: GuardLimits;
  /** The longest wait for transactions that are running when a lost slot is made anew, in milliseconds. */
  waitMs: number;
  /** By default a server of one's own. */
  place?: SetupPlace;
  startBase: StartBase;
}

/** What a run has done for one database. */
export type CaptureReport =
  | { status: 'off' }
  /** The window has ended, with the reason. */
  | { status: 'closed'; reason: string }
  /** A slot was made in place of one that was lost. */
  | { status: 'renewed' }
  | (CaptureSummary & { warning: string | null; base: BaseState | null });

/** A moment can be restored only when a segment reaches beyond it: one is written at least this often, even if it is empty. */
const EMPTY_AFTER_MS = 300_000;

const GUARD_TIMEOUT_MS = 20_000;

/**
 * One run for one database: first the guard, so that a server whose changes cannot be captured is not filled with log, then the
 * capture, and a full backup where one is wanted. A window that ends leaves nothing on the server; where the slot was lost, a later run
 * makes another.
 *
 * @throws OperationError as {@link storeChanges} or `beginWindow`; a later run goes on
 */
export async function captureDatabase(
  database: string,
  dependencies: CaptureDatabaseDependencies,
): Promise<CaptureReport> {
  const { target, table } = dependencies;
  const recovery = await readRecovery(table, database);
  if (!recovery) return { status: 'off' };
  if (recovery.closed) return (await renewSlot(recovery, dependencies)) ? { status: 'renewed' } : { status: 'off' };
  const of = { database, slot: recovery.slot };
  const limits = await withKnownDisk(table, database, dependencies.limits);
  const began = new Date();
  const guarded = await withConnection(
    target,
    { kind: 'administering', statementTimeoutMs: GUARD_TIMEOUT_MS },
    (client) => enforceGuard(client, of.slot, limits),
  );
  if (guarded.action === 'drop' || guarded.action === 'lost') {
    return close(recovery, { reason: guarded.reason ?? '', isLost: guarded.action === 'lost' }, dependencies);
  }
  await alertSlot(dependencies, database, guarded, limits, began);
  const storedAt = Date.parse(recovery.stored_at ?? recovery.turned_on_at);
  try {
    const summary = await storeChanges(of, began.getTime() - storedAt >= EMPTY_AFTER_MS, dependencies);
    const base = await ensureBase(database, dependencies);
    return { ...summary, warning: guarded.reason, base };
  } catch (error) {
    const isOver = error instanceof OperationError && (error.code === 'slot_missing' || error.code === 'slot_lost');
    if (!isOver) throw error;
    return close(recovery, { reason: error.message, isLost: true }, dependencies);
  }
}

async function close(
  { database, slot, covered, turned_on_at: since, ...recovery }: Recovery,
  { reason, isLost }: { reason: string; isLost: boolean },
  dependencies: CaptureDatabaseDependencies,
): Promise<CaptureReport> {
  const now = new Date();
  // Cleared away before it is said: what fails here, the next run does again.
  await turnOff(database, dependencies);
  // One that is lost again and again is made anew ever more seldom.
  const renewals = now.getTime() - Date.parse(since) > DAY_MS ? 0 : recovery.renewals;
  const closed = { at: now.toISOString(), reason };
  await noteEndedWindow(dependencies.table, database, { slot, covered, ...closed });
  const closing = {
    closed,
    renewals,
    renew_at: isLost ? new Date(now.getTime() + growingWaitMs(renewals)).toISOString() : null,
  };
  if (await recordClosed(dependencies.table, { database, slot }, closing)) {
    await alertWindowClosed(dependencies, database, { reason, isRenewed: isLost }, now);
    await resolveSlotAlert(dependencies, database, now);
  }
  return { status: 'closed', reason };
}
