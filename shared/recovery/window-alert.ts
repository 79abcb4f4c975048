import { alertOfCause, getAlert, type NewAlert, openAlert, resolveAlert } from '../alerts/alert-store.ts';
import { mailAbout, mailSubject } from '../alerts/news.ts';
import { readSettings } from '../alerts/settings.ts';
import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import { newAlertId } from '../state/ids.ts';
import type { StateTable } from '../state/table.ts';

export interface AlertDependencies {
  table: StateTable;
  configuration: Pick<RuntimeConfiguration, 'alert_emails'>;
}

const CAUSE = 'recovery:window';

/** Opens an alert: from now on no further moment of the database can be restored. */
export async function alertWindowClosed(
  { table, configuration }: AlertDependencies,
  database: string,
  { reason, isRenewed }: { reason: string; isRenewed: boolean },
  now: Date,
): Promise<void> {
  const alert: NewAlert = {
    id: newAlertId(),
    database,
    cause: CAUSE,
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
  const { settings } = await readSettings(table, database);
  const subject = mailSubject(alert, 'opened', [], now.getTime());
  await openAlert(table, alert, mailAbout(subject, settings, configuration, now.getTime()), now);
}

/** The window is open again, or nobody wants one: its alert, if there is one, is over. */
export async function resolveWindowAlert(
  { table, configuration }: AlertDependencies,
  database: string,
  now: Date,
): Promise<void> {
  const id = await alertOfCause(table, { database, cause: CAUSE });
  if (id === null) return;
  const alert = { ...(await getAlert(table, id)), value: null };
  const { settings } = await readSettings(table, database);
  const subject = mailSubject(alert, 'resolved', [], now.getTime());
  await resolveAlert(table, alert, mailAbout(subject, settings, configuration, now.getTime()), now);
}
