import * as z from 'zod';
import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import { NO_SAMPLES, parseAlarmName } from '../health/alarms.ts';
import { causeOfCheck, checkOf, isCheckName } from '../health/checks.ts';
import { newAlertId } from '../state/ids.ts';
import type { StateTable } from '../state/table.ts';
import { alertOfCause, getAlert, type NewAlert, openAlert, resolveAlert } from './alert-store.ts';
import { mailAbout, mailSubject } from './news.ts';
import { readSettings } from './settings.ts';
import {
  ACCOUNT_THROTTLES,
  forgetRinging,
  rememberRinging,
  type ThrottleDependencies,
  throttledFunctions,
} from './throttled-functions.ts';
import { openTroubles } from './troubled-functions.ts';
import { readStanding } from './watch-alerts.ts';

/** EventBridge's "CloudWatch Alarm State Change". */
const alarmEventSchema = z.object({
  'detail-type': z.literal('CloudWatch Alarm State Change'),
  time: z.iso.datetime(),
  detail: z.object({
    alarmName: z.string(),
    state: z.object({ value: z.enum(['OK', 'ALARM', 'INSUFFICIENT_DATA']), reason: z.string().default('') }),
    configuration: z.object({ description: z.string().optional() }).optional(),
  }),
});

export interface AlarmDependencies extends ThrottleDependencies {
  table: StateTable;
  configuration: Pick<RuntimeConfiguration, 'alert_emails' | 'databases'>;
}

/**
 * Takes a CloudWatch alarm's change of state into the list of alerts. An alarm about what a check watches as well has the check's
 * cause, so the two are one alert. The alarm about the throttles of the whole account becomes an alert for each function of this
 * system that is among them.
 *
 * @returns what became of it; null for an event that changes nothing
 */
export async function alarmChanged(
  dependencies: AlarmDependencies,
  event: unknown,
): Promise<{ alert: string; change: 'opened' | 'resolved' } | null> {
  const { table, configuration } = dependencies;
  const { time, detail } = alarmEventSchema.parse(event);
  if (detail.alarmName.endsWith(`/${ACCOUNT_THROTTLES}`)) {
    return accountThrottled(dependencies, detail.state.value === 'ALARM', Date.parse(time));
  }
  const alert = alertOf(detail, configuration);
  if (alert === null) return null;
  const now = new Date(time);
  // Alerts about this system itself are mailed at any hour.
  const { settings } = alert.database === null ? { settings: null } : await readSettings(table, alert.database);
  const rules = { quiet_hours: settings?.quiet_hours ?? null, time_zone: settings?.time_zone ?? 'UTC' };
  const mail = (about: NewAlert, change: 'opened' | 'resolved') =>
    mailAbout(mailSubject(about, change, [], now.getTime()), rules, configuration, now.getTime());

  if (detail.state.value === 'ALARM') {
    const { id, opened } = await openAlert(table, alert, mail(alert, 'opened'), now);
    return opened ? { alert: id, change: 'opened' } : null;
  }
  const id = await alertOfCause(table, alert);
  if (detail.state.value !== 'OK' || id === null || (await isWatched(table, alert, id))) return null;
  const standing = { ...(await getAlert(table, id)), value: null };
  const resolved = await resolveAlert(table, standing, mail(standing, 'resolved'), now);
  return resolved ? { alert: id, change: 'resolved' } : null;
}

/** Alerts of its own have those that were held back; which end once that was not seen for a while. */
async function accountThrottled(
  dependencies: AlarmDependencies,
  isRinging: boolean,
  now: number,
): Promise<{ alert: string; change: 'opened' } | null> {
  if (!isRinging) {
    await forgetRinging(dependencies.table);
    return null;
  }
  // First remembered: should the question fail, the sampler asks it again.
  await rememberRinging(dependencies.table, 0);
  const [alert] = await openTroubles(dependencies, await throttledFunctions(dependencies, now));
  await rememberRinging(dependencies.table, now);
  return alert === undefined ? null : { alert, change: 'opened' };
}

/** Whether a check has taken the alert over: then it ends it, too. */
async function isWatched(table: StateTable, { database, cause }: NewAlert, id: string): Promise<boolean> {
  if (database === null || !cause.startsWith('check:')) return false;
  const { trackers } = await readStanding(table, database);
  return Object.values(trackers).some((tracker) => tracker.alert?.id === id);
}

/** The alert of an alarm; null for an alarm of a database that is no longer configured. */
function alertOf(
  { alarmName, state, configuration: alarm }: z.output<typeof alarmEventSchema>['detail'],
  { databases }: AlarmDependencies['configuration'],
): NewAlert | null {
  const about = parseAlarmName(alarmName);
  if (about && !databases.some(({ id }) => id === about.database)) return null;
  const description = alarm?.description ?? '';
  const common = { id: newAlertId(), value: null, threshold: null, unit: 'None', detail: state.reason || null };
  if (about && isCheckName(about.what)) {
    const { title, whatToDo } = checkOf(about.what);
    const cause = causeOfCheck(about.what);
    return { ...common, database: about.database, cause, title, level: 'CRITICAL', what_to_do: whatToDo };
  }
  return {
    ...common,
    database: about?.database ?? null,
    cause: `alarm:${alarmName}`,
    title: description.split(':')[0] || alarmName,
    level: about?.what === NO_SAMPLES ? 'CRITICAL' : 'ERROR',
    what_to_do:
      about?.what === NO_SAMPLES
        ? 'The database is not watched. Look into the log of the function sample-health, and whether its rule is enabled.'
        : 'Look into the log of the function, and at the events in its dead-letter queue.',
  };
}
