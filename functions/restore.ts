import './durable/collect-rarely.ts';
import { withDurableExecution } from '@aws/durable-execution-sdk-js';
import { dynamodbClient, s3Client, secretsManagerClient } from '../shared/aws/clients.ts';
import { restoreOptionsOf } from '../shared/backup/restore/request-options.ts';
import { runRestore } from '../shared/backup/restore/run-restore.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { withCancellation } from '../shared/jobs/cancellation.ts';
import { cancelJob, failJob, succeedRestore } from '../shared/jobs/end.ts';
import { restoreEventSchema } from '../shared/jobs/events.ts';
import { runRestoreJob } from '../shared/jobs/restore-job.ts';
import { connectionTarget } from '../shared/postgres/target.ts';
import { createJobStore } from '../shared/state/jobs.ts';
import { openTable } from '../shared/state/table.ts';
import { durableSteps, invocationSignal } from './durable/steps.ts';

const environment = readEnvironment(['stateTable', 'backupBucket', 'backupKeyArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const jobs = createJobStore(table);
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };

/** Restores one backup into a new database, which may take the place of another. */
export const handler = withDurableExecution(async (input: unknown, context) => {
  const event = restoreEventSchema.parse(input);
  return runRestoreJob(event, durableSteps(context), {
    start: (jobId) => jobs.start(jobId),
    report: async (jobId, progress) => {
      await jobs.reportProgress(jobId, progress);
    },
    restore: (event, report) => {
      const { database, backup_id, target_database, mode, job_id, resumes } = event;
      const restore = (cancelled: AbortSignal) =>
        runRestore(
          {
            jobId: job_id,
            resumes,
            resumable: true,
            backupId: backup_id,
            database,
            targetDatabase: target_database,
            mode,
            ...restoreOptionsOf(event.options),
          },
          {
            target: connectionTarget(
              findDatabase(configuration, event.environment ?? database),
              configuration.connections,
              { secretsManager: secretsManagerClient() },
              `dbms restore ${job_id}`,
            ),
            store,
            settings: configuration.backups,
            report,
            signal: AbortSignal.any([invocationSignal(context), cancelled]),
          },
        );
      return withCancellation(jobs, job_id, restore);
    },
    succeed: (jobId, outcome) => succeedRestore(table, { jobId, backupId: event.backup_id, ...outcome }),
    fail: async (jobId, error, unfinished) => {
      await failJob(table, jobId, error, undefined, unfinished);
    },
    cancelled: async (jobId) => {
      await cancelJob(table, jobId);
    },
  });
});
