import { type NewAlert, openAlert } from '../alerts/alert-store.ts';
import type { Finding } from '../backup/restore/findings.ts';
import { newAlertId } from '../state/ids.ts';
import { forgetUnauthenticatedMessages, type Recovery, readRecovery } from '../state/recovery.ts';
import { DAY_MS } from '../time.ts';
import { type AlertDependencies, mailOf, resolveCause } from './window-alert.ts';

const CAUSE = 'recovery:unauthenticated';

const REMEDIATION =
  'Nothing was lost, and nothing of them is ever run. Any login that may connect can write such messages: the audit trail has what the first of them claim, with their transaction; the log of the server, or GET connections/details, shows who was connected. Take its right to connect, or its password, from whoever did it.';

/** What there is to say of messages that were ignored; nothing where there were none within a day. */
export function unauthenticatedFinding(recovery: Pick<Recovery, 'unauthenticated'> | null): Finding[] {
  if (!recovery?.unauthenticated) return [];
  const message = inWords(recovery.unauthenticated);
  return [{ code: 'definitions_not_authenticated', message, nextStep: REMEDIATION }];
}

function inWords({ count, first_at: first, last_at: last }: NonNullable<Recovery['unauthenticated']>): string {
  return `${count} messages in the log claimed to tell of changes of definitions, and were not written by the event triggers; they were ignored (from ${first} to ${last})`;
}

/** Nothing is captured any more, or nothing of what was is known: the alert, if there is one, is over. */
export const resolveUnauthenticatedAlert = (
  dependencies: AlertDependencies,
  database: string,
  now: Date,
): Promise<void> => resolveCause(dependencies, { database, cause: CAUSE }, now);

/**
 * Opens an alert when messages were ignored that nobody vouches for; it is over when there were none for a day.
 *
 * @returns what there is to say; null where there were none
 */
export async function alertUnauthenticated(
  dependencies: AlertDependencies,
  of: { database: string; slot: string },
  now: Date,
): Promise<string | null> {
  const { table } = dependencies;
  const found = (await readRecovery(table, of.database))?.unauthenticated;
  if (!found) return null;
  if (now.getTime() - Date.parse(found.last_at) > DAY_MS) {
    await resolveUnauthenticatedAlert(dependencies, of.database, now);
    await forgetUnauthenticatedMessages(table, of);
    return null;
  }
  const alert: NewAlert = {
    id: newAlertId(),
    database: of.database,
    cause: CAUSE,
    title: 'Somebody writes messages that only the event triggers may write',
    level: 'ERROR',
    value: found.count,
    threshold: 0,
    unit: 'Count',
    what_to_do: REMEDIATION,
    detail: inWords(found),
  };
  await openAlert(table, alert, await mailOf(dependencies, alert, 'opened', now), now);
  return inWords(found);
}
