import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import type { Alert, AlertSettings } from '../contract/schemas/alert.ts';
import { endOfQuietHours } from './local-time.ts';
import { type MailSubject, waitingMail } from './mail-queue.ts';

export type MailRules = Pick<AlertSettings, 'quiet_hours' | 'time_zone'>;

/** What a mail says of an alert's change. */
export function mailSubject(
  alert: Pick<Alert, 'id' | 'database' | 'level' | 'title' | 'value' | 'threshold' | 'unit' | 'what_to_do' | 'detail'>,
  event: MailSubject['event'],
  recent: readonly number[],
  now: number,
): MailSubject {
  const { id, database, level, title, value, threshold, unit, what_to_do, detail } = alert;
  const at = new Date(now).toISOString();
  return {
    alert_id: id,
    database,
    event,
    level,
    title,
    value,
    threshold,
    unit,
    what_to_do,
    detail,
    recent: [...recent],
    at,
  };
}

/**
 * The mail about a change of an alert, as an item of the queue. None for INFO, which goes into the digest, and none where nobody
 * receives mails. In quiet hours it waits for their end, unless it is CRITICAL.
 */
export function mailAbout(
  subject: MailSubject,
  { quiet_hours, time_zone }: MailRules,
  { alert_emails }: Pick<RuntimeConfiguration, 'alert_emails'>,
  now: number,
): Record<string, unknown> | null {
  if (subject.level === 'INFO' || alert_emails.length === 0) return null;
  const quietUntil =
    quiet_hours === null || subject.level === 'CRITICAL' ? null : endOfQuietHours(now, quiet_hours, time_zone);
  const change = subject.event === 'raised' || subject.event === 'escalated' ? subject.level : subject.event;
  return waitingMail(`${subject.alert_id}#${change}`, [subject], { notBefore: quietUntil ?? now, now });
}
