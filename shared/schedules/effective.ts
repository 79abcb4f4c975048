import type { RuntimeConfiguration } from '../configuration/runtime.ts';
import type { BackupType } from '../contract/schemas/backup.ts';
import { byBackupType, type Schedule } from '../contract/schemas/schedule.ts';
import type { Plan, StoredSchedules } from '../state/schedules.ts';

export type Configured = Pick<RuntimeConfiguration, 'databases' | 'schedules'>;

/** When backups of a type are to run, and who says so. */
export interface Effective extends Pick<Schedule, 'source' | 'changed_by' | 'changed_at'> {
  /** null: they do not run by themselves. */
  plan: Plan | null;
}

/** What was changed through the API goes before the configuration. A database that is not configured has no schedules. */
export function effectiveSchedules(
  { databases, schedules }: Configured,
  { database, changed }: Pick<StoredSchedules, 'database' | 'changed'>,
): Record<BackupType, Effective> {
  const isConfigured = databases.some(({ id }) => id === database);
  return byBackupType((type) => {
    const change = changed[type];
    const configured = schedules[type];
    const plan = change
      ? change.plan
      : configured === null
        ? null
        : {
            cron: configured,
            time_zone: schedules.time_zone,
            enabled: true,
            ...(isMaskedType(schedules, type) ? { masked: true } : {}),
          };
    return {
      plan: isConfigured ? plan : null,
      source: change ? 'api' : 'configuration',
      changed_by: change?.changed_by ?? null,
      changed_at: change?.changed_at ?? null,
    };
  });
}

/** Whether backups of a type are masked, by the configuration. */
export const isMaskedType = ({ masked }: Configured['schedules'], type: BackupType): boolean =>
  (masked as readonly BackupType[]).includes(type);

/** Whether full backups that a disaster asks for are taken by themselves. */
export const takesFullBackups = ({ full: { plan } }: Record<BackupType, Effective>): boolean =>
  plan?.enabled === true && plan.masked !== true;

export function samePlan(a: Plan | null | undefined, b: Plan | null | undefined): boolean {
  if (!a || !b) return !a && !b;
  return (
    a.cron === b.cron &&
    a.time_zone === b.time_zone &&
    a.enabled === b.enabled &&
    (a.masked ?? false) === (b.masked ?? false)
  );
}
