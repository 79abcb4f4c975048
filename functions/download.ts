import './durable/collect-rarely.ts';
import { withDurableExecution } from '@aws/durable-execution-sdk-js';
import { dynamodbClient, s3Client } from '../shared/aws/clients.ts';
import {
  abortDownload,
  beginDownload,
  type DownloadRequest,
  writeDownload,
} from '../shared/backup/download/write-download.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { withCancellation } from '../shared/jobs/cancellation.ts';
import { type DownloadEvent, downloadEventSchema, runDownloadJob } from '../shared/jobs/download-job.ts';
import { cancelJob, failJob, succeedDownload } from '../shared/jobs/end.ts';
import { auditSteps } from '../shared/jobs/step-audit.ts';
import { startIfFree } from '../shared/jobs/turns.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';
import { createJobStore } from '../shared/state/jobs.ts';
import { createPlaceStore } from '../shared/state/places.ts';
import { openTable } from '../shared/state/table.ts';
import { durableSteps, invocationSignal } from './durable/steps.ts';

const environment = readEnvironment(['stateTable', 'backupBucket', 'backupKeyArn', 'downloadBucket']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const jobs = createJobStore(table);
const turns = { jobs, places: createPlaceStore(table), capacity: configuration.concurrency.jobs };
const auditor = openAuditor();
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };
const downloads = { ...store, bucket: environment.downloadBucket };

/** After so long it is recorded how far the file is. */
const ROUND_MS = 120_000;
/** With less than that left, the next piece of work gets an invocation of its own: its longest object must fit into it. */
const ENOUGH_MS = 450_000;

const requestOf = ({ database, backup_id, job_id, format }: DownloadEvent): DownloadRequest => ({
  database,
  backupId: backup_id,
  jobId: job_id,
  format,
});

/** Makes one file of a backup, which psql loads. */
export const handler = withDurableExecution(async (input: unknown, context) => {
  const event = downloadEventSchema.parse(input);
  const audited = auditSteps(
    { auditor, jobs },
    { kind: 'download', database: event.database, target: event.backup_id, jobId: event.job_id, requestedBy: null },
  );
  const left = () => context.lambdaContext.getRemainingTimeInMillis();
  return runDownloadJob(event, durableSteps(context, audited), {
    start: (jobId) => startIfFree(jobId, turns),
    begin: (event) => beginDownload(requestOf(event), downloads),
    write: (event, state, report) =>
      withCancellation(jobs, event.job_id, async (cancelled) => {
        const written = await writeDownload(requestOf(event), state, {
          store,
          downloads,
          report,
          signal: AbortSignal.any([invocationSignal(context), cancelled]),
          timeIsOver: AbortSignal.timeout(Math.min(ROUND_MS, left() / 4)),
        });
        return 'bytes' in written ? written : { ...written, pause: left() < ENOUGH_MS };
      }),
    abort: (event, state) => abortDownload(requestOf(event), state, downloads),
    report: async (jobId, progress) => {
      await jobs.reportProgress(jobId, progress);
    },
    succeed: (jobId, file) => succeedDownload(table, { jobId, backupId: event.backup_id, file }),
    fail: async (jobId, error) => {
      await failJob(table, jobId, error);
    },
    cancelled: async (jobId) => {
      await cancelJob(table, jobId);
    },
  });
});
