import { createBackupCatalog } from '../state/backups.ts';
import { findClaimedJob } from '../state/begin.ts';
import { createJobStore, isEnded } from '../state/jobs.ts';
import { createScheduleRunStore, type ScheduleName } from '../state/schedule-runs.ts';
import type { StateTable } from '../state/table.ts';
import type { BackupEvent } from './events.ts';
import { executionClaim } from './execution-ended.ts';

/** `skipped`: another backup is at work, or nothing can come of the run. `repeated`: another execution is this run. */
export type Admission = 'admitted' | 'skipped' | 'repeated';

export interface ScheduledRun {
  /** Records the run, and says whether it may begin. Safe to repeat. */
  admit(): Promise<Admission>;
  /** Notes the job of an admitted run. */
  registered(jobId: string, backupId: string): Promise<void>;
}

/** What an execution that has no job yet may take to register it: many times the limit of a call to DynamoDB. */
const REGISTERING_MS = 15 * 60_000;
/** Backups that are running at the same time are among the latest. */
const LATEST = 100;

/**
 * A run of a schedule, from its coming to its job. There is one backup of a database and type at a time: a run that comes while one
 * of the whole database is still at work, whoever began it, is recorded as skipped.
 *
 * @param dueAt - for when EventBridge Scheduler had planned it
 * @param execution - ARN of the durable execution
 * @param findObstacle - says why the run cannot come to anything now, which is no failure; null when it can
 */
export function scheduledRun(
  table: StateTable,
  { database, backup_type: backupType, masked = false }: Pick<BackupEvent, 'database' | 'backup_type' | 'masked'>,
  dueAt: string,
  execution: string,
  findObstacle: () => Promise<string | null> = async () => null,
): ScheduledRun {
  const runs = createScheduleRunStore(table);
  const schedule = { database, backupType };
  const due = new Date(dueAt).toISOString();

  return {
    async admit() {
      if (!(await runs.receive(schedule, due, execution))) return 'repeated';
      const reason = await findObstacle();
      if (reason !== null) {
        await runs.conclude(schedule, due, { outcome: 'skipped', reason });
        return 'skipped';
      }
      const other = (await backupAtWork(table, schedule, masked)) ?? (await takeTurn(table, schedule, execution));
      if (!other) return 'admitted';
      await runs.conclude(schedule, due, { outcome: 'skipped', ...other });
      return 'skipped';
    },
    async registered(job_id, backup_id) {
      await runs.conclude(schedule, due, { job_id, backup_id });
    },
  };
}

interface Other {
  job_id: string | null;
  backup_id: string | null;
}

/** A backup of the same database and type that is being made. One that is masked takes no other's place. */
async function backupAtWork(
  table: StateTable,
  { database, backupType }: ScheduleName,
  isMasked: boolean,
): Promise<Other | undefined> {
  const jobs = createJobStore(table);
  const { items } = await createBackupCatalog(table).list({ database, status: 'running', limit: LATEST });
  for (const { id, job_id, backup_type, include, exclude, masked } of items) {
    if (backup_type !== backupType || masked !== isMasked || include !== null || exclude !== null) continue;
    const job = await jobs.find(job_id);
    if (job && !isEnded(job)) return { job_id, backup_id: id };
  }
  return undefined;
}

/**
 * Takes the schedule's turn. The list of backups lags behind: of runs that come at the same moment, as after a throttling, the turn
 * lets one in.
 *
 * @returns what has the turn, when it is still at work
 */
async function takeTurn(table: StateTable, schedule: ScheduleName, execution: string): Promise<Other | undefined> {
  const runs = createScheduleRunStore(table);
  const turn = await runs.turn(schedule);
  if (turn?.execution === execution) return undefined;
  if (turn) {
    const jobId = await findClaimedJob(table, executionClaim(turn.execution));
    const job = jobId === null ? null : await createJobStore(table).find(jobId);
    if (job && !isEnded(job)) return { job_id: job.id, backup_id: job.backup_id };
    const isRegistering = jobId === null && Date.now() - Date.parse(turn.taken_at) < REGISTERING_MS;
    if (isRegistering) return { job_id: null, backup_id: null };
  }
  return (await runs.takeTurn(schedule, turn, execution)) ? undefined : { job_id: null, backup_id: null };
}
