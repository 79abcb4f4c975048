import { withDurableExecution } from '@aws/durable-execution-sdk-js';
import { dynamodbClient, s3Client } from '../shared/aws/clients.ts';
import { rebuildCatalog, rebuildWholeCatalog } from '../shared/backup/rebuild-catalog.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { withCancellation } from '../shared/jobs/cancellation.ts';
import { cancelJob, failJob } from '../shared/jobs/end.ts';
import { rebuildEventSchema, runRebuildJob } from '../shared/jobs/rebuild-job.ts';
import { auditSteps } from '../shared/jobs/step-audit.ts';
import { startIfFree } from '../shared/jobs/turns.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';
import { createJobStore } from '../shared/state/jobs.ts';
import { createPlaceStore } from '../shared/state/places.ts';
import { openTable } from '../shared/state/table.ts';
import { durableSteps, invocationSignal } from './durable/steps.ts';

const environment = readEnvironment(['stateTable', 'backupBucket', 'backupKeyArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const jobs = createJobStore(table);
const turns = { jobs, places: createPlaceStore(table), capacity: configuration.concurrency.jobs };
const auditor = openAuditor();
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };

/** Lists the backups of one database, or of all, again from their manifests in the bucket. */
export const handler = withDurableExecution(async (input: unknown, context) => {
  const event = rebuildEventSchema.parse(input);
  const audited = auditSteps(
    { auditor, jobs },
    { kind: 'rebuild', database: event.database, target: null, jobId: event.job_id, requestedBy: null },
  );
  return runRebuildJob(event, durableSteps(context, audited), {
    start: (jobId) => startIfFree(jobId, turns),
    rebuild: ({ database, all, job_id }) =>
      withCancellation(jobs, job_id, (signal) => {
        const dependencies = { store, table, signal, timeIsOver: invocationSignal(context) };
        return all ? rebuildWholeCatalog(dependencies) : rebuildCatalog(database, dependencies);
      }),
    succeed: async (jobId, warnings) => {
      await jobs.succeed(jobId, { warnings });
    },
    fail: async (jobId, error) => {
      await failJob(table, jobId, error);
    },
    cancelled: async (jobId) => {
      await cancelJob(table, jobId);
    },
  });
});
