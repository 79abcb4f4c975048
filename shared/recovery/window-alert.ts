import { alertOfCause, getAlert, type NewAlert, openAlert, raiseAlert, resolveAlert } from '../alerts/alert-store.ts';
import { mailAbout, mailSubject } from '../alerts/news.ts';
import { readSettings } from '../alerts/settings.ts';
import type { GuardDecision, GuardLimits, SlotHealth } from '../changes/guard/decide.ts';
import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import { causeOfCheck } from '../health/checks.ts';
import { compareLevels } from '../health/levels.ts';
import { newAlertId } from '../state/ids.ts';
import type { StateTable } from '../state/table.ts';

export interface AlertDependencies {
  table: StateTable;
  configuration: Pick<RuntimeConfiguration, 'alert_emails'>;
}

const WINDOW = 'recovery:window';
const SLOT = 'recovery:slot';

/** Opens an alert: from now on no further moment of the database can be restored. */
export async function alertWindowClosed(
  dependencies: AlertDependencies,
  database: string,
  { reason, isRenewed }: { reason: string; isRenewed: boolean },
  now: Date,
): Promise<void> {
  const alert: NewAlert = {
    id: newAlertId(),
    database,
    cause: WINDOW,
    title: 'Point-in-time recovery has ended',
    level: 'CRITICAL',
    value: null,
    threshold: null,
    unit: 'None',
    what_to_do: isRenewed
      ? 'Moments until then can still be restored. It begins anew by itself, with a full backup: GET recovery-window shows how far it is. Mend the cause, so that it is not lost again.'
      : 'Moments until then can still be restored. Mend the cause and turn it on again with PUT recovery and {"enabled": true}; a full backup is then begun by itself.',
    detail: reason,
  };
  await openAlert(dependencies.table, alert, await mailOf(dependencies, alert, 'opened', now), now);
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
