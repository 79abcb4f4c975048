import type { Database, RuntimeConfiguration } from '../../configuration/runtime.ts';
import type { Period } from './calendar.ts';

/** How long backups are kept: as long as any of these rules keeps them. */
export interface RetentionPolicy extends Record<Period, number> {
  days: number;
  /** IANA name. */
  timeZone: string;
  /** How long objects are locked where that is not recorded yet; null: they are not. */
  lockDays: number | null;
}

/** The policy of a configured database. */
export function retentionPolicy(
  { backups }: Pick<RuntimeConfiguration, 'backups'>,
  { retention }: Pick<Database, 'retention'>,
): RetentionPolicy {
  const { days = backups.retention_days, daily = 0, weekly = 0, monthly = 0, yearly = 0 } = retention ?? {};
  const lockDays = backups.object_lock?.days ?? null;
  return { days, daily, weekly, monthly, yearly, timeZone: retention?.time_zone ?? 'UTC', lockDays };
}
