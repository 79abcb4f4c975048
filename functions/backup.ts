import './durable/collect-rarely.ts';
import { withDurableExecution } from '@aws/durable-execution-sdk-js';
import { dynamodbClient, s3Client, secretsManagerClient } from '../shared/aws/clients.ts';
import { runBackup } from '../shared/backup/export/run-backup.ts';
import { backupPrefix } from '../shared/backup/layout.ts';
import { explainStoreFailure } from '../shared/backup/objects/object-store.ts';
import { removeObjects } from '../shared/backup/remove.ts';
import { environmentNames, readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { runBackupJob } from '../shared/jobs/backup-job.ts';
import { withCancellation } from '../shared/jobs/cancellation.ts';
import { cancelJob, failJob, succeedBackup } from '../shared/jobs/end.ts';
import { backupEventSchema } from '../shared/jobs/events.ts';
import { executionClaim } from '../shared/jobs/execution-ended.ts';
import { scheduledRun } from '../shared/jobs/scheduled-run.ts';
import { registerBackup } from '../shared/jobs/start.ts';
import { connectionTarget } from '../shared/postgres/target.ts';
import { createJobStore } from '../shared/state/jobs.ts';
import { openTable } from '../shared/state/table.ts';
import { durableSteps, invocationSignal } from './durable/steps.ts';

const environment = readEnvironment(['stateTable', 'backupBucket', 'backupKeyArn', 'postgresToolsPath']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const jobs = createJobStore(table);
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };

/** Takes one backup, asked for through the API or by a schedule. */
export const handler = withDurableExecution(async (input: unknown, context) => {
  const event = backupEventSchema.parse(input);
  const steps = durableSteps(context);
  const execution = context.executionContext.durableExecutionArn;
  const run = event.scheduled_at === undefined ? null : scheduledRun(table, event, event.scheduled_at, execution);
  if (run) {
    const admitted = await steps.step('admit', run.admit);
    if (admitted !== 'admitted') return { status: admitted };
  }
  return runBackupJob(event, steps, {
    retentionDays: configuration.backups.retention_days,
    register: async ({ database, backup_type, custom_name, include, exclude, requested_by, job_id, backup_id }) => {
      if (job_id && backup_id) return { jobId: job_id, backupId: backup_id };
      const { job, event: begun } = await registerBackup(table, {
        database: findDatabase(configuration, database).id,
        requestedBy: requested_by,
        backupType: backup_type,
        customName: custom_name,
        include,
        exclude,
        // A repeated step finds the job that the first one made, and so does the end of the execution.
        claim: executionClaim(execution),
      });
      if (!begun.backup_id) throw new Error(`The job ${job.id} was registered without a backup`);
      await run?.registered(job.id, begun.backup_id);
      return { jobId: job.id, backupId: begun.backup_id };
    },
    start: (jobId) => jobs.start(jobId),
    report: async (jobId, progress) => {
      await jobs.reportProgress(jobId, progress);
    },
    takeBackup: (event, { jobId, backupId }, report) => {
      const { database: id, backup_type, custom_name, include = null, exclude = null, requested_by } = event;
      const database = findDatabase(configuration, id);
      const takeBackup = (cancelled: AbortSignal) =>
        runBackup(
          {
            id: backupId,
            database: database.id,
            backupType: backup_type,
            customName: custom_name,
            selection: include || exclude ? { include, exclude } : null,
            requestedBy: requested_by,
          },
          {
            target: connectionTarget(
              database,
              configuration.connections,
              { secretsManager: secretsManagerClient() },
              `dbms backup ${backupId}`,
            ),
            store,
            settings: configuration.backups,
            postgresToolsPath: environment.postgresToolsPath,
            pgDumpPath: process.env[environmentNames.pgDumpPath],
            report,
            signal: AbortSignal.any([invocationSignal(context), cancelled]),
          },
        );
      return withCancellation(jobs, jobId, takeBackup);
    },
    sweep: async ({ database }, backupId) => {
      const prefix = backupPrefix(database, backupId);
      // It goes before a further attempt, so that its failure may come to be the job's.
      await removeObjects(store, prefix).catch((error: unknown) => {
        throw explainStoreFailure(error, prefix);
      });
    },
    succeed: (jobId, backupId, facts, warnings) => succeedBackup(table, { jobId, backupId, facts, warnings }),
    fail: async (jobId, _backupId, error) => {
      await failJob(table, jobId, error);
    },
    cancelled: async (jobId) => {
      await cancelJob(table, jobId);
    },
  });
});
