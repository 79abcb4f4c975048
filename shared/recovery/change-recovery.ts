import { ulid } from 'ulid';
import type { ObjectStore } from '../backup/objects/object-store.ts';
import type { Finding } from '../backup/restore/findings.ts';
import type { SetupPlace } from '../changes/setup/check-setup.ts';
import type { Removed } from '../changes/setup/remove.ts';
import { slotName } from '../changes/setup/slot.ts';
import { turnOff, turnOn } from '../changes/setup/turn-on.ts';
import { OperationError } from '../errors.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import { withConnection } from '../postgres/with-connection.ts';
import { noteEndedWindow } from '../state/ended-windows.ts';
import { readRecovery, recordPausing, removeRecovery, writeRecovery } from '../state/recovery.ts';
import {
  beginRecoveryChange,
  endRecoveryChange,
  INTERRUPTED_AFTER_MS,
  isInterrupted,
  type RecoveryChange,
  readRecoveryChange,
} from '../state/recovery-change.ts';
import { resolveDefinitionsAlert } from './definitions-alert.ts';
import { readTimeline } from './missing-slot.ts';
import { resolveUnauthenticatedAlert } from './unauthenticated-alert.ts';
import { type AlertDependencies, resolveCaptureAlert, resolveSlotAlert, resolveWindowAlert } from './window-alert.ts';

export interface ChangeDependencies extends AlertDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  signal: AbortSignal;
  /** How long to wait for transactions that are running, in milliseconds. */
  waitMs: number;
  /** By default a server of one's own. */
  place?: SetupPlace;
}

/**
 * Turns point-in-time recovery on, or goes on after a pause, with a new slot and a new full backup; a window that is open stays as it is.
 * What fails leaves nothing on the server.
 *
 * @throws OperationError `recovery_impossible`, `transactions_running`, or one of the connection or the store
 */
export async function turnRecoveryOn(database: string, by: string, dependencies: ChangeDependencies): Promise<void> {
  const { table } = dependencies;
  const known = await readRecovery(table, database);
  if (known && !known.closed) {
    const change = await readRecoveryChange(table, database);
    if (change?.to === 'off' && !isInterrupted(change, new Date())) throw alreadyChanging(database, change);
    if (known.pausing === null || (await recordPausing(table, known, null))) return;
  }
  const wasPaused = known?.pausing || known?.closed?.code === 'paused';
  const reason = wasPaused
    ? 'Point-in-time recovery was resumed after it was paused for an upgrade'
    : 'Point-in-time recovery was turned on';
  await beginWindow(database, { by, reason, renewals: 0 }, dependencies);
  await resolveWindowAlert(dependencies, database, new Date());
}

/**
 * Makes a slot, and notes that a full backup is wanted for the window to begin with.
 *
 * @throws OperationError as {@link turnRecoveryOn}
 */
export async function beginWindow(
  database: string,
  asked: { by: string; reason: string; renewals: number },
  dependencies: ChangeDependencies,
): Promise<void> {
  const slot = slotName(database, ulid());
  await changing(database, { to: 'on', slot, by: asked.by }, dependencies, () =>
    makeWindow(database, { ...asked, slot }, dependencies),
  );
  await resolveUnauthenticatedAlert(dependencies, database, new Date());
}

async function makeWindow(
  database: string,
  { by, reason, renewals, slot: name }: { by: string; reason: string; renewals: number; slot: string },
  dependencies: ChangeDependencies,
): Promise<void> {
  const { table } = dependencies;
  const { slot, follows_definitions, definitions, catalog } = await turnOn(database, { ...dependencies, slot: name });
  const now = new Date().toISOString();
  try {
    const timeline = await withConnection(dependencies.target, { kind: 'administering' }, readTimeline);
    await writeRecovery(table, {
      database,
      slot,
      follows_definitions,
      turned_on_at: now,
      turned_on_by: by,
      captured_at: null,
      covered: null,
      stored_at: null,
      definitions,
      catalog,
      proven: null,
      closed: null,
      unauthenticated: null,
      pausing: null,
      timeline,
      obstacles: [],
      base_wanted: { since: now, reason },
      base_attempts: 0,
      base_tried_at: null,
      renewals,
      renew_at: null,
    });
  } catch (error) {
    await turnOff(database, dependencies);
    throw error;
  }
}

/**
 * Turns it off: the server keeps nothing of it, but for what it does not let go. Stored changes stay as long as the backups that they
 * follow.
 *
 * @returns what is left in the database, which neither keeps WAL nor captures anything
 * @throws OperationError `recovery_changing`, `slot_not_dropped`, or one of the connection: it is on still
 */
export async function turnRecoveryOff(
  database: string,
  by: string,
  dependencies: ChangeDependencies,
): Promise<Finding[]> {
  const { left } = await changing(database, { to: 'off', slot: null, by }, dependencies, () =>
    removeWindow(database, dependencies),
  );
  const now = new Date();
  await resolveWindowAlert(dependencies, database, now);
  await resolveDefinitionsAlert(dependencies, database, now);
  await resolveSlotAlert(dependencies, database, now);
  await resolveCaptureAlert(dependencies, database, now);
  await resolveUnauthenticatedAlert(dependencies, database, now);
  return left;
}

async function removeWindow(database: string, dependencies: ChangeDependencies): Promise<Removed> {
  // What is recorded comes last: as long as the server may have a slot of it, it is not off.
  const removed = await turnOff(database, dependencies);
  const { table } = dependencies;
  const known = await readRecovery(table, database);
  if (known && !known.closed) {
    const reason = 'Point-in-time recovery was turned off';
    const { slot, covered, obstacles } = known;
    await noteEndedWindow(table, database, { slot, covered, obstacles, at: new Date().toISOString(), reason });
  }
  await removeRecovery(table, database);
  return removed;
}

/** One change at a time; a note of it tells a later run of the capture what was interrupted. */
async function changing<Result>(
  database: string,
  change: Omit<RecoveryChange, 'at'>,
  { table }: Pick<ChangeDependencies, 'table'>,
  work: () => Promise<Result>,
): Promise<Result> {
  const noted = { ...change, at: new Date().toISOString() };
  if (!(await beginRecoveryChange(table, database, noted))) {
    throw alreadyChanging(database, await readRecoveryChange(table, database));
  }
  try {
    return await work();
  } finally {
    // One that stays, as the State table is out of reach, is worked off by a run of the capture.
    await endRecoveryChange(table, database, noted).catch(() => undefined);
  }
}

/**
 * Finishes what was interrupted, such as by the end of the function that did it: a slot that nobody knows of is dropped, and what was
 * being turned off is turned off.
 *
 * @returns `none` when nothing is being changed; `running` while a change may not have been interrupted
 * @throws OperationError of the connection or the State table; a later run tries again
 */
export async function finishChange(
  database: string,
  dependencies: ChangeDependencies,
): Promise<'none' | 'running' | 'finished'> {
  const { table } = dependencies;
  const change = await readRecoveryChange(table, database);
  if (!change) return 'none';
  if (!isInterrupted(change, new Date())) return 'running';
  if (change.to === 'off') {
    await turnRecoveryOff(database, change.by, dependencies);
    return 'finished';
  }
  const recovery = await readRecovery(table, database);
  if (!recovery || recovery.closed) {
    await changing(database, { ...change, to: 'off' }, dependencies, () => turnOff(database, dependencies));
  } else await endRecoveryChange(table, database, change);
  return 'finished';
}

function alreadyChanging(database: string, change: RecoveryChange | null): OperationError {
  const what = change ? ` by ${change.by} since ${change.at}` : '';
  const until = change ? new Date(Date.parse(change.at) + INTERRUPTED_AFTER_MS).toISOString() : 'a minute from now';
  return new OperationError(
    'recovery_changing',
    `Point-in-time recovery of ${database} is being turned ${change?.to ?? 'on or off'}${what}`,
    `Wait until GET recovery-window shows the end of it. If it was interrupted, the same request works from ${until} on.`,
  );
}
