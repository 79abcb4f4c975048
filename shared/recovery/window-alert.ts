import { alertOfCause, getAlert, type NewAlert, openAlert, raiseAlert, resolveAlert } from '../alerts/alert-store.ts';
import { mailAbout, mailSubject } from '../alerts/news.ts';
import { readSettings } from '../alerts/settings.ts';
import type { GuardDecision, GuardLimits, SlotHealth } from '../changes/guard/decide.ts';
import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import type { ClosedCode } from '../contract/schemas/recovery.ts';
import { causeOfCheck } from '../health/checks.ts';
import { compareLevels } from '../health/levels.ts';
import { newAlertId } from '../state/ids.ts';
import type { Closed, Recovery } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { DAY_MS } from '../time.ts';

export interface AlertDependencies {
  table: StateTable;
  configuration: Pick<RuntimeConfiguration, 'alert_emails'>;
}

const WINDOW = 'recovery:window';
const SLOT = 'recovery:slot';

const WHAT_TO_DO: Readonly<Record<ClosedCode, string>> = {
  slot_lost:
    'Points in time until then can still be restored. It begins anew by itself, with a full backup: GET recovery-window shows how far it is. Remove the cause, so that it is not lost again.',
  log_limit:
    'Points in time until then can still be restored. Remove the cause and turn it on again with PUT recovery and {"enabled": true}; a full backup then starts by itself.',
  slot_dropped_by_others:
    'Points in time until then can still be restored; later ones cannot. The slot is not created again by itself, as it may have been dropped on purpose, such as for a major upgrade. When it may be there again, run PUT recovery with {"enabled": true}; a full backup then starts by itself. To do without, run PUT recovery with {"enabled": false}.',
  paused:
    'Points in time until then can still be restored; later ones cannot. When the upgrade is over, run PUT recovery with {"status": "on"}; a full backup then starts by itself.',
};

/** Opens an alert: from now on no further moment of the database can be restored. A pause that somebody asked for is but a warning. */
export async function alertWindowClosed(
  dependencies: AlertDependencies,
  database: string,
  { reason, code }: Closed,
  now: Date,
): Promise<void> {
  const isPaused = code === 'paused';
  const alert: NewAlert = {
    id: newAlertId(),
    database,
    cause: WINDOW,
    title: isPaused ? 'Point-in-time recovery is paused' : 'Point-in-time recovery has ended',
    level: isPaused ? 'WARNING' : 'CRITICAL',
    value: null,
    threshold: null,
    unit: 'None',
    what_to_do: WHAT_TO_DO[code ?? 'log_limit'],
    detail: reason,
  };
  await openAlert(dependencies.table, alert, await mailOf(dependencies, alert, 'opened', now), now);
}

/** A pause that is as old as this was probably forgotten. */
const LONG_PAUSE_MS = DAY_MS;

/** Raises the alert of a pause to CRITICAL when it has lasted for a day. */
export async function alertLongPause(
  dependencies: AlertDependencies,
  { database, closed }: Pick<Recovery, 'database' | 'closed'>,
  now: Date,
): Promise<void> {
  if (closed?.code !== 'paused' || now.getTime() - Date.parse(closed.at) < LONG_PAUSE_MS) return;
  const id = await alertOfCause(dependencies.table, { database, cause: WINDOW });
  if (id === null) return;
  const known = await getAlert(dependencies.table, id);
  if (known.level === 'CRITICAL') return;
  const raised = { ...known, level: 'CRITICAL' as const };
  const mail = await mailOf(dependencies, raised, 'raised', now);
  const rise = { event: 'raised' as const, level: raised.level, value: null, threshold: null };
  await raiseAlert(dependencies.table, id, rise, mail, now);
}

/**
 * Opens an alert, or raises its level, while the guard warns of what is kept for the slot; it is over when the guard no longer does.
 *
 * @param guarded - what the guard has found
 */
export async function alertSlot(
  dependencies: AlertDependencies,
  database: string,
  { reason, level, health }: GuardDecision & { health: SlotHealth },
  { mostRetainedBytes }: GuardLimits,
  now: Date,
): Promise<void> {
  if (reason === null || level === null) return resolveSlotAlert(dependencies, database, now);
  const { table } = dependencies;
  const found = { value: health.retainedBytes, threshold: mostRetainedBytes };
  const alert: NewAlert = {
    id: newAlertId(),
    database,
    cause: SLOT,
    title: 'Log is kept for point-in-time recovery',
    level,
    ...found,
    unit: 'Bytes',
    what_to_do:
      'See why changes are not captured in time: errors of the function capture-changes, or a transaction that is open for long. At the threshold the slot is dropped and the window ends; max_retained_wal_gigabytes sets it.',
    detail: reason,
  };
  const { id, opened } = await openAlert(table, alert, await mailOf(dependencies, alert, 'opened', now), now);
  if (opened) return;
  const known = await getAlert(table, id);
  if (compareLevels(level, known.level) <= 0) return;
  const raised = { ...known, ...found, level };
  const mail = await mailOf(dependencies, raised, 'raised', now);
  await raiseAlert(table, id, { event: 'raised', level, ...found }, mail, now);
}

/** The window is open again, or nobody wants one: its alert, if there is one, is over. */
export const resolveWindowAlert = (dependencies: AlertDependencies, database: string, now: Date): Promise<void> =>
  resolveCause(dependencies, { database, cause: WINDOW }, now);

/** Nothing is kept for the slot that is worth a warning, or there is no slot any more. */
export const resolveSlotAlert = (dependencies: AlertDependencies, database: string, now: Date): Promise<void> =>
  resolveCause(dependencies, { database, cause: SLOT }, now);

/** Nothing is to be captured any more: its age is not known from now on, which would leave the alert of the check as it is. */
export const resolveCaptureAlert = (dependencies: AlertDependencies, database: string, now: Date): Promise<void> =>
  resolveCause(dependencies, { database, cause: causeOfCheck('capture_age') }, now);

export async function resolveCause(
  dependencies: AlertDependencies,
  cause: Pick<NewAlert, 'cause'> & { database: string },
  now: Date,
): Promise<void> {
  const { table } = dependencies;
  const id = await alertOfCause(table, cause);
  if (id === null) return;
  const alert = { ...(await getAlert(table, id)), value: null };
  await resolveAlert(table, alert, await mailOf(dependencies, { ...alert, ...cause }, 'resolved', now), now);
}

export async function mailOf(
  { table, configuration }: AlertDependencies,
  alert: Omit<NewAlert, 'database'> & { database: string | null },
  event: 'opened' | 'raised' | 'resolved',
  now: Date,
): Promise<Record<string, unknown> | null> {
  const { settings } = await readSettings(table, alert.database ?? '');
  const subject = mailSubject(alert, event, [], now.getTime());
  return mailAbout(subject, settings, configuration, now.getTime());
}
