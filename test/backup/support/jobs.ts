import type { S3Client } from '@aws-sdk/client-s3';
import { backupPrefix } from '../../../shared/backup/layout.ts';
import { removeObjects } from '../../../shared/backup/remove.ts';
import type { Backup } from '../../../shared/contract/schemas/backup.ts';
import type { Job } from '../../../shared/contract/schemas/job.ts';
import type { DistributedSteps } from '../../../shared/jobs/attempts.ts';
import { runBackupJob } from '../../../shared/jobs/backup-job.ts';
import { cancelJob, failJob, succeedBackup, succeedRestore } from '../../../shared/jobs/end.ts';
import { backupEventSchema, type RestoreEvent } from '../../../shared/jobs/events.ts';
import { runRestoreJob } from '../../../shared/jobs/restore-job.ts';
import { registerBackup, startRestore } from '../../../shared/jobs/start.ts';
import type { ConnectionTarget } from '../../../shared/postgres/connect.ts';
import { createBackupCatalog } from '../../../shared/state/backups.ts';
import { createJobStore } from '../../../shared/state/jobs.ts';
import type { StateTable } from '../../../shared/state/table.ts';
import type { TestServer } from '../../support/servers.ts';
import { type BackUpOptions, type BackupHarness, DATABASE_ID, type RestoreOptions } from './harness.ts';

/** What came of a job. */
export interface EndedJob {
  job: Job;
  backup: Backup;
  /** Names of the steps and waits that it took. */
  steps: string[];
}

export interface JobRuns {
  /** Runs a backup's job as its function does. */
  backUp(target: ConnectionTarget, options?: BackUpOptions & Between): Promise<EndedJob>;
  restore(backup: string, server: TestServer, options?: RestoreOptions & Between): Promise<EndedJob & { name: string }>;
}

interface Between {
  /** What happens while the job waits for its next attempt, in place of time. */
  onWait?: () => Promise<unknown> | unknown;
  /** What happens when an attempt begins. */
  onAttempt?: () => Promise<unknown>;
}

/** Runs jobs on a State table as the durable functions do, without their waits. */
export function jobRuns(harness: BackupHarness, table: StateTable): JobRuns {
  const jobs = createJobStore(table);
  const ended = async (id: string, steps: string[]): Promise<EndedJob> => {
    const job = await jobs.get(id);
    return { job, backup: await createBackupCatalog(table).get(job.backup_id ?? ''), steps };
  };
  const shared = {
    start: (id: string) => jobs.start(id),
    report: async (id: string, progress: Parameters<typeof jobs.reportProgress>[1]) => {
      await jobs.reportProgress(id, progress);
    },
    cancelled: async (id: string) => {
      await cancelJob(table, id);
    },
  };
  return {
    async backUp(target, { onWait, onAttempt, ...options } = {}) {
      const { steps, taken } = stepsAtOnce(onWait);
      const event = backupEventSchema.parse({ database: DATABASE_ID, backup_type: 'full' });
      const request = { database: DATABASE_ID, requestedBy: 'schedule', backupType: 'full', customName: null } as const;
      const { job_id } = await runBackupJob(event, steps, {
        ...shared,
        retentionDays: 1,
        register: async () => {
          const { job } = await registerBackup(table, request);
          return { jobId: job.id, backupId: job.backup_id ?? '' };
        },
        takeBackup: async (_event, { backupId }, report) => {
          await onAttempt?.();
          return harness.backUp(target, { ...options, id: backupId, report });
        },
        takeIncrement: () => {
          throw new Error('These backups are full');
        },
        distributed: () => {
          throw new Error('These backups are small');
        },
        sweep: (_event, id) => removeObjects(harness.store, backupPrefix(DATABASE_ID, id)),
        succeed: (jobId, backupId, facts, warnings) => succeedBackup(table, { jobId, backupId, facts, warnings }),
        fail: async (id, _backupId, error) => {
          await failJob(table, id, error);
        },
      });
      return ended(job_id, taken);
    },
    async restore(backup, server, { onWait, onAttempt, ...options } = {}) {
      const { steps, taken } = stepsAtOnce(onWait);
      const name = options.name ?? `restored_${backup.toLowerCase().replace(/\W/g, '_')}`;
      const started: RestoreEvent[] = [];
      const { job } = await startRestore(
        { table, startFunction: async (event) => void started.push(event) },
        { database: DATABASE_ID, requestedBy: 'alice', backupId: backup, targetDatabase: name },
      );
      for (const event of started) {
        await runRestoreJob(event, steps, {
          ...shared,
          restore: async ({ job_id }, report) => {
            await onAttempt?.();
            const request = { resumable: true };
            return (await harness.restore({ id: backup }, server, { ...options, name, jobId: job_id, report, request }))
              .summary;
          },
          takeBack: async () => [],
          succeed: (jobId, outcome) => succeedRestore(table, { jobId, backupId: backup, ...outcome }),
          fail: async (id, error, unfinished) => {
            await failJob(table, id, error, undefined, unfinished);
          },
        });
      }
      return { ...(await ended(job.id, taken)), name };
    },
  };
}

export function stepsAtOnce(onWait?: Between['onWait']): { steps: DistributedSteps; taken: string[] } {
  const taken: string[] = [];
  return {
    taken,
    steps: {
      audited: (_name, work) => work(),
      step: (name, work) => {
        taken.push(name);
        return work();
      },
      wait: async (name) => {
        taken.push(name);
        await onWait?.();
      },
      invoke: () => Promise.reject(new Error('These jobs invoke nobody')),
      parallel: () => Promise.reject(new Error('These jobs have one sequence of steps')),
    },
  };
}

/** Holds the first call of a kind for an object with rows, and those after it, until it is let go. */
export function holdRows(s3: S3Client, commands: readonly string[]) {
  const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  s3.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        if (commands.includes(commandName) && (args.input as { Key: string }).Key.includes('/data/')) {
          reached.resolve();
          await released.promise;
        }
        return next(args);
      },
    { step: 'initialize', name: 'hold' },
  );
  return {
    reached: reached.promise,
    letGo: () => {
      s3.middlewareStack.remove('hold');
      released.resolve();
    },
  };
}
