import type { CaptureSummary } from '../changes/capture/capture-once.ts';
import type { GuardLimits } from '../changes/guard/decide.ts';
import { enforceGuard } from '../changes/guard/guard.ts';
import type { SetupPlace } from '../changes/setup/check-setup.ts';
import type { ClosedCode } from '../contract/schemas/recovery.ts';
import { OperationError } from '../errors.ts';
import { withConnection } from '../postgres/with-connection.ts';
import { readRecovery } from '../state/recovery.ts';
import { finishChange } from './change-recovery.ts';
import { closeWindow } from './close-window.ts';
import { type BaseState, ensureBase, type StartBase } from './ensure-base.ts';
import { withKnownDisk } from './known-disk.ts';
import { judgeMissingSlot, readTimeline } from './missing-slot.ts';
import { endPause } from './pause-recovery.ts';
import { renewSlot } from './renew-slot.ts';
import { type StoreChangesDependencies, storeChanges } from './store-changes.ts';
import { alertUnauthenticated } from './unauthenticated-alert.ts';
import { type AlertDependencies, alertLongPause, alertSlot } from './window-alert.ts';

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
  /** Somebody is turning it on or off. */
  | { status: 'changing' }
  /** The window has ended, with the reason. */
  | { status: 'closed'; reason: string; code: ClosedCode | null }
  /** It is paused from now on: everything is captured, and nothing is left on the server. */
  | { status: 'paused' }
  /** A slot was made in place of one that was lost. */
  | { status: 'renewed' }
  | (CaptureSummary & { base: BaseState | null });

/** A moment can be restored only when a segment reaches beyond it: one is written at least this often, even if it is empty. */
const EMPTY_AFTER_MS = 300_000;

const GUARD_TIMEOUT_MS = 20_000;

/**
 * One run for one database: first the guard, so that a server whose changes cannot be captured is not filled with log, then the
 * capture, and a full backup where one is wanted. A window that ends leaves nothing on the server; where the server lost the slot, a later
 * run makes another. One that somebody else dropped stays dropped.
 *
 * @throws OperationError as {@link storeChanges} or `beginWindow`; a later run goes on
 */
export async function captureDatabase(
  database: string,
  dependencies: CaptureDatabaseDependencies,
): Promise<CaptureReport> {
  const { target, table } = dependencies;
  const change = await finishChange(database, dependencies);
  if (change === 'running') return { status: 'changing' };
  const recovery = await readRecovery(table, database);
  if (!recovery) return { status: 'off' };
  if (recovery.closed) {
    await alertLongPause(dependencies, recovery, new Date());
    return (await renewSlot(recovery, dependencies)) ? { status: 'renewed' } : { status: 'off' };
  }
  const of = { database, slot: recovery.slot };
  const limits = await withKnownDisk(table, database, dependencies.limits);
  const began = new Date();
  const looking = { kind: 'administering', statementTimeoutMs: GUARD_TIMEOUT_MS } as const;
  const guarded = await withConnection(target, looking, (client) => enforceGuard(client, of.slot, limits));
  const close = async (why: { reason: string; code: ClosedCode }): Promise<CaptureReport> => {
    const { reason, code } = await closeWindow(recovery, why, dependencies);
    return { status: 'closed', reason, code };
  };
  const closeMissing = async (): Promise<CaptureReport> => {
    // This system itself may have dropped it since: whoever pauses it or turns it off records that after the drop.
    const known = await readRecovery(table, database);
    if (known?.slot !== recovery.slot || known.closed) return { status: 'off' };
    if (known.pausing) return (await endPause(database, dependencies)) ? { status: 'paused' } : { status: 'off' };
    return close(judgeMissingSlot(known, await withConnection(target, looking, readTimeline)));
  };
  if (guarded.action === 'missing') return closeMissing();
  if (guarded.action === 'drop') return close({ reason: guarded.reason ?? '', code: 'log_limit' });
  if (guarded.action === 'lost') return close({ reason: guarded.reason ?? '', code: 'slot_lost' });
  await alertSlot(dependencies, database, guarded, limits, began);
  const storedAt = Date.parse(recovery.stored_at ?? recovery.turned_on_at);
  try {
    const toTheEnd = recovery.pausing !== null || began.getTime() - storedAt >= EMPTY_AFTER_MS;
    const summary = await storeChanges(of, toTheEnd, dependencies);
    if (recovery.pausing) {
      const isDone = summary.status === 'captured' && summary.caughtUp;
      if (isDone && (await endPause(database, dependencies))) return { status: 'paused' };
      return { ...summary, warning: guarded.reason, base: null };
    }
    const base = await ensureBase(database, dependencies);
    const ignored = await alertUnauthenticated(dependencies, of, new Date());
    return { ...summary, warning: guarded.reason ?? summary.warning ?? ignored, base };
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    if (error.code === 'slot_missing') return closeMissing();
    if (error.code === 'slot_lost') return close({ reason: error.message, code: 'slot_lost' });
    throw error;
  }
}
