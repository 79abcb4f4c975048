import type { ObjectStore } from '../backup/objects/object-store.ts';
import type { SetupPlace } from '../changes/setup/check-setup.ts';
import { turnOff, turnOn } from '../changes/setup/turn-on.ts';
import type { ConnectionTarget } from '../postgres/connect.ts';
import { withConnection } from '../postgres/with-connection.ts';
import { noteEndedWindow } from '../state/ended-windows.ts';
import { readRecovery, recordPausing, removeRecovery, writeRecovery } from '../state/recovery.ts';
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
  { by, reason, renewals }: { by: string; reason: string; renewals: number },
  dependencies: ChangeDependencies,
): Promise<void> {
  const { table } = dependencies;
  const { slot, follows_definitions, definitions, catalog } = await turnOn(database, dependencies);
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
  await resolveUnauthenticatedAlert(dependencies, database, new Date(now));
}

/** Turns it off: the server keeps nothing of it. Stored changes stay as long as the backups that they follow. */
export async function turnRecoveryOff(database: string, dependencies: ChangeDependencies): Promise<void> {
  // Last: as long as the server may have something of it, it is not off.
  await turnOff(database, dependencies);
  const { table } = dependencies;
  const now = new Date();
  const known = await readRecovery(table, database);
  if (known && !known.closed) {
    const reason = 'Point-in-time recovery was turned off';
    const { slot, covered } = known;
    await noteEndedWindow(table, database, { slot, covered, at: now.toISOString(), reason });
  }
  await removeRecovery(table, database);
  await resolveWindowAlert(dependencies, database, now);
  await resolveDefinitionsAlert(dependencies, database, now);
  await resolveSlotAlert(dependencies, database, now);
  await resolveCaptureAlert(dependencies, database, now);
  await resolveUnauthenticatedAlert(dependencies, database, now);
}
