import { type BackupType, backupTypeSchema } from '../contract/schemas/backup.ts';
import { createScheduleRunStore } from '../state/schedule-runs.ts';
import { DAY_MS } from '../time.ts';
import { type Applied, applySchedules, type ScheduleDependencies } from './apply.ts';
import { missedRuns, RUNS_LOOKED_AT } from './missed.ts';

export interface WatchReport extends Pick<Applied, 'altered' | 'repaired'> {
  database: string;
  /** Runs that were due and never came, and were not recorded yet. */
  missed: { backup_type: BackupType; due_at: string }[];
  /** How many that were due within the last day have not come. */
  missed_lately: number;
}

/**
 * Puts the schedules of a database right in EventBridge Scheduler, and records the runs that never came. Every time is held against
 * EventBridge Scheduler's clock, never this machine's.
 *
 * @throws what EventBridge Scheduler and DynamoDB throw
 */
export async function watchSchedules(database: string, dependencies: ScheduleDependencies): Promise<WatchReport> {
  const { applied, altered, repaired, now } = await applySchedules(database, dependencies);
  const runs = createScheduleRunStore(dependencies.table, () => now);
  const report: WatchReport = { database, altered, repaired, missed: [], missed_lately: 0 };
  const isRecent = (due_at: string) => now.getTime() - Date.parse(due_at) < DAY_MS;
  for (const backup_type of backupTypeSchema.options) {
    const schedule = { database, backupType: backup_type };
    const recorded = await runs.latest(schedule, RUNS_LOOKED_AT);
    report.missed_lately += recorded.filter(({ outcome, due_at }) => outcome === 'missed' && isRecent(due_at)).length;
    for (const due_at of missedRuns(applied[backup_type], recorded, now).reverse()) {
      if (!(await runs.recordMissed(schedule, due_at))) continue;
      report.missed.push({ backup_type, due_at });
      if (isRecent(due_at)) report.missed_lately += 1;
    }
  }
  return report;
}
