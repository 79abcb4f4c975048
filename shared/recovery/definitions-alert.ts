import { type NewAlert, openAlert } from '../alerts/alert-store.ts';
import { newAlertId } from '../state/ids.ts';
import type { Obstacle } from '../state/recovery.ts';
import { type AlertDependencies, mailOf, resolveCause } from './window-alert.ts';

const CAUSE = 'recovery:definitions';

/** Opens an alert: a rehearsal has shown that a change of definitions cannot be repeated, which looked as if it could. */
export async function alertDefinitions(
  dependencies: AlertDependencies,
  database: string,
  { at, reason }: Obstacle,
  now: Date,
): Promise<void> {
  const alert: NewAlert = {
    id: newAlertId(),
    database,
    cause: CAUSE,
    title: 'Point-in-time recovery ends at a change of a definition',
    level: 'WARNING',
    value: null,
    threshold: null,
    unit: 'None',
    what_to_do:
      'Points in time before it can be restored. Later ones can be after the next full backup, which starts automatically: GET recovery-window shows how far it is.',
    detail: `${at}: ${reason}`,
  };
  await openAlert(dependencies.table, alert, await mailOf(dependencies, alert, 'opened', now), now);
}

/** There is a full backup from after it, or recovery is off. */
export const resolveDefinitionsAlert = (dependencies: AlertDependencies, database: string, now: Date): Promise<void> =>
  resolveCause(dependencies, { database, cause: CAUSE }, now);
