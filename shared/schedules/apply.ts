import { type BackupType, backupTypeSchema } from '../contract/schemas/backup.ts';
import { createScheduleStore, type StoredSchedules } from '../state/schedules.ts';
import type { StateTable } from '../state/table.ts';
import { type Configured, effectiveSchedules, samePlan } from './effective.ts';
import { findSchedule, putSchedule, type ScheduleGroup } from './event-bridge.ts';

export interface ScheduleDependencies {
  table: StateTable;
  group: ScheduleGroup;
  configuration: Configured;
}

/** What EventBridge Scheduler was told anew. */
export interface Applied {
  applied: StoredSchedules['applied'];
  /** Schedules that were not as planned, and are now. */
  altered: BackupType[];
  /** Those of them that were applied before: another hand has changed or removed them. */
  repaired: BackupType[];
  /** By EventBridge Scheduler's clock. */
  now: Date;
}

/** Rounds in which others change what is being applied. */
const MAX_ROUNDS = 5;

/**
 * Makes EventBridge Scheduler have the schedules of a database as they are stored, or else configured. Others may do the same at
 * the same time: whoever ends last has looked whether what it applied is still what is stored.
 *
 * @throws Error when it changes again and again; otherwise what EventBridge Scheduler and DynamoDB throw
 */
export async function applySchedules(database: string, dependencies: ScheduleDependencies): Promise<Applied> {
  const store = createScheduleStore(dependencies.table);
  const altered = new Set<BackupType>();
  const repaired = new Set<BackupType>();
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const stored = await store.read(database);
    const done = await applyOnce(stored, dependencies);
    for (const type of done.altered) altered.add(type);
    for (const type of done.repaired) repaired.add(type);
    if (JSON.stringify(done.applied) !== JSON.stringify(stored.applied)) {
      await store.recordApplied(database, done.applied);
    }
    if ((await store.read(database)).version === stored.version) {
      return { ...done, altered: [...altered], repaired: [...repaired] };
    }
  }
  throw new Error(`The schedules of ${database} changed ${MAX_ROUNDS} times while they were being applied`);
}

/** Makes EventBridge Scheduler have these schedules, whatever is stored. */
export async function applyOnce(
  stored: StoredSchedules,
  { group, configuration }: Omit<ScheduleDependencies, 'table'>,
): Promise<Applied> {
  const effective = effectiveSchedules(configuration, stored);
  const done: Applied = { applied: {}, altered: [], repaired: [], now: new Date(0) };
  for (const type of backupTypeSchema.options) {
    const { plan } = effective[type];
    const before = stored.applied[type];
    const name = { database: stored.database, backupType: type };
    const { schedule, now } = await findSchedule(group, name);
    done.now = now;
    if (await putSchedule(group, name, plan, schedule)) {
      done.altered.push(type);
      if (samePlan(plan, before) && plan !== null) done.repaired.push(type);
    }
    // Of one that another hand had changed, what it missed meanwhile is still missed.
    if (plan)
      done.applied[type] = { ...plan, since: before && samePlan(plan, before) ? before.since : now.toISOString() };
  }
  return done;
}
