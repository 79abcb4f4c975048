import type { BackupType } from '../contract/schemas/backup.ts';
import { byBackupType, type Schedule, type ScheduleRun, type ScheduleSet } from '../contract/schemas/schedule.ts';
import { createJobStore, isEnded } from '../state/jobs.ts';
import { createScheduleRunStore, type RecordedRun } from '../state/schedule-runs.ts';
import { createScheduleStore, type StoredSchedules } from '../state/schedules.ts';
import type { StateTable } from '../state/table.ts';
import type { ScheduleDependencies } from './apply.ts';
import { type Effective, effectiveSchedules, isMaskedType } from './effective.ts';
import { findSchedule, isAsPlanned } from './event-bridge.ts';
import { MISSED_AFTER_MS, missedRuns, RUNS_LOOKED_AT } from './missed.ts';
import { nextRuns } from './times.ts';

const NEXT_RUNS = 5;
const LAST_RUNS = 10;

/** The schedules of a database: what they are, where they come from, and what came of their runs. */
export async function describeSchedules(database: string, dependencies: ScheduleDependencies): Promise<ScheduleSet> {
  const stored = await createScheduleStore(dependencies.table).read(database);
  const effective = effectiveSchedules(dependencies.configuration, stored);
  const entries = Object.entries(effective) as [BackupType, Effective][];
  const described = new Map(
    await Promise.all(
      entries.map(async ([type, one]) => [type, await describeOne(type, one, stored, dependencies)] as const),
    ),
  );
  return {
    database,
    version: stored.version,
    schedules: byBackupType((type) => described.get(type) as Schedule),
  };
}

async function describeOne(
  type: BackupType,
  { plan, ...from }: Effective,
  { database, applied }: StoredSchedules,
  { table, group, configuration: { schedules } }: ScheduleDependencies,
): Promise<Schedule> {
  const name = { database, backupType: type };
  const { schedule, now } = await findSchedule(group, name);
  const recorded = await createScheduleRunStore(table).latest(name, RUNS_LOOKED_AT);
  const missed = missedRuns(applied[type], recorded, now).map(
    (due_at): RecordedRun => ({
      due_at,
      outcome: 'missed',
      started_at: null,
      execution: null,
      job_id: null,
      backup_id: null,
      reason: null,
    }),
  );
  const latest = [...recorded, ...missed].sort((a, b) => (a.due_at < b.due_at ? 1 : -1)).slice(0, LAST_RUNS);
  return {
    cron: plan?.cron ?? null,
    time_zone: plan?.time_zone ?? null,
    enabled: plan?.enabled ?? false,
    masked: plan?.masked ?? false,
    ...from,
    configured: { cron: schedules[type], time_zone: schedules.time_zone, masked: isMaskedType(schedules, type) },
    applied: isAsPlanned(group, name, plan, schedule),
    next_runs: plan?.enabled ? nextRuns(plan, now, NEXT_RUNS).map((time) => time.toISOString()) : [],
    last_runs: await Promise.all(latest.map((run) => withOutcome(table, run, now))),
  };
}

async function withOutcome(
  table: StateTable,
  { execution: _, outcome, ...run }: RecordedRun,
  now: Date,
): Promise<ScheduleRun> {
  if (outcome !== 'started') return { ...run, outcome };
  const job = run.job_id === null ? null : await createJobStore(table).find(run.job_id);
  if (job) return { ...run, outcome: isEnded(job) ? (job.status as ScheduleRun['outcome']) : 'running' };
  // It is about to register its job, or ended before it could.
  const isNew = now.getTime() - Date.parse(run.started_at ?? run.due_at) < MISSED_AFTER_MS;
  return { ...run, outcome: isNew ? 'running' : 'failed' };
}
