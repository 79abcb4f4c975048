import type { ScheduleChange } from '../contract/schemas/schedule.ts';
import { OperationError } from '../errors.ts';
import { createScheduleStore, type StoredSchedules } from '../state/schedules.ts';
import { applyOnce, applySchedules, type ScheduleDependencies } from './apply.ts';
import { findSchedule } from './event-bridge.ts';

/**
 * Changes the schedules of a database, all that are named or none: what EventBridge Scheduler has not taken is not stored, and what
 * it had taken by then is taken back.
 *
 * @throws OperationError `schedules_changed`, when the version is another, or `schedules_not_applied`
 */
export async function changeSchedules(
  { database, changedBy, change }: { database: string; changedBy: string; change: ScheduleChange },
  dependencies: ScheduleDependencies,
): Promise<void> {
  const store = createScheduleStore(dependencies.table);
  const stored = await store.read(database);
  if (stored.version !== change.version) throw changedMeanwhile(change.version, stored.version);
  try {
    const { now } = await findSchedule(dependencies.group, { database, backupType: 'full' });
    const changed = changesOf(stored, change, {
      changed_by: changedBy,
      changed_at: now.toISOString(),
      timeZone: dependencies.configuration.schedules.time_zone,
    });
    await applyOnce({ ...stored, changed }, dependencies);
    if (!(await store.change(database, stored.version, changed))) {
      throw changedMeanwhile(change.version, stored.version + 1);
    }
  } catch (error) {
    // Should this fail too, the next look within minutes puts it right.
    await applySchedules(database, dependencies).catch(() => undefined);
    if (error instanceof OperationError) throw error;
    throw new OperationError(
      'schedules_not_applied',
      'EventBridge Scheduler has not taken the schedules; they are as they were',
      'Try again; if it persists, look in the log of this request.',
      { cause: error },
    );
  }
  // Another may have applied what was stored before, at the same time. The change stands, whatever comes of this look: there are more.
  await applySchedules(database, dependencies).catch(() => undefined);
}

function changesOf(
  { changed }: StoredSchedules,
  { schedules, as_configured }: ScheduleChange,
  { timeZone, ...by }: { changed_by: string; changed_at: string; timeZone: string },
): StoredSchedules['changed'] {
  const named = Object.entries(schedules).flatMap(([type, given]) => {
    if (given === undefined) return [];
    const { cron = '', time_zone = timeZone, enabled = true, masked = false } = given ?? {};
    const plan = given && { cron, time_zone, enabled, ...(masked ? { masked } : {}) };
    return [[type, { plan, ...by }]];
  });
  const all: StoredSchedules['changed'] = { ...changed, ...Object.fromEntries(named) };
  for (const type of as_configured) delete all[type];
  return all;
}

function changedMeanwhile(given: number, current: number): OperationError {
  return new OperationError(
    'schedules_changed',
    `The change is of version ${given} of the schedules, which are at version ${current}`,
    'Read them with GET backups/schedules and send the change again with their version.',
  );
}
