import './durable/collect-rarely.ts';
import { withDurableExecution } from '@aws/durable-execution-sdk-js';
import { dynamodbClient, kmsClient, s3Client, secretsManagerClient } from '../shared/aws/clients.ts';
import { divideRound } from '../shared/backup/distributed/divide-round.ts';
import { finishExport } from '../shared/backup/distributed/finish-export.ts';
import { invocationTime } from '../shared/backup/distributed/invocation-time.ts';
import { workWithin } from '../shared/backup/distributed/limits.ts';
import { planExport, storeDefinitions } from '../shared/backup/distributed/plan-export.ts';
import { type BackupRequest, LargerThanOneInvocation, runBackup } from '../shared/backup/export/run-backup.ts';
import { backupPrefix } from '../shared/backup/layout.ts';
import { exportedTypeSchema } from '../shared/backup/manifest.ts';
import { explainStoreFailure } from '../shared/backup/objects/object-store.ts';
import { removeObjects } from '../shared/backup/remove.ts';
import { STREAM_REFUSED } from '../shared/changes/capture/line-source.ts';
import { environmentNames, readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import type { Progress } from '../shared/contract/schemas/job.ts';
import { assertBackupPossible } from '../shared/doctor/before-backup.ts';
import { createLogger } from '../shared/http/log.ts';
import { runBackupJob } from '../shared/jobs/backup-job.ts';
import { bookkeep } from '../shared/jobs/bookkeeping.ts';
import { withCancellation } from '../shared/jobs/cancellation.ts';
import { cancelJob, failJob, succeedBackup } from '../shared/jobs/end.ts';
import { type BackupEvent, backupEventSchema } from '../shared/jobs/events.ts';
import { executionClaim } from '../shared/jobs/execution-ended.ts';
import { scheduledRun } from '../shared/jobs/scheduled-run.ts';
import { registerBackup } from '../shared/jobs/start.ts';
import { auditSteps } from '../shared/jobs/step-audit.ts';
import { startIfFree } from '../shared/jobs/turns.ts';
import { dumpSchema } from '../shared/postgres/pg-dump/dump-schema.ts';
import { connectionTarget } from '../shared/postgres/target.ts';
import { incrementObstacle } from '../shared/recovery/increment-possible.ts';
import { takeIncrement } from '../shared/recovery/take-increment.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';
import { recordDefinitions, recordUnauthenticated } from '../shared/security/audit/subjects.ts';
import { loadMaskingRules } from '../shared/security/masking/change-masking.ts';
import { createExportStore } from '../shared/state/exports.ts';
import { createJobStore } from '../shared/state/jobs.ts';
import { createPlaceStore } from '../shared/state/places.ts';
import { openTable } from '../shared/state/table.ts';
import { distributedSteps, invocationSignal, workTime } from './durable/steps.ts';

const environment = readEnvironment([
  'stateTable',
  'backupBucket',
  'backupKeyArn',
  'maskingKeyArn',
  'postgresToolsPath',
  'snapshotHolderFunctionArn',
  'exportLaneFunctionArn',
]);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const jobs = createJobStore(table);
const turns = { jobs, places: createPlaceStore(table), capacity: configuration.concurrency.jobs };
const exports = createExportStore(table);
const auditor = openAuditor();
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };
const { backups: settings } = configuration;
const pgDumpPath = process.env[environmentNames.pgDumpPath];
const logger = createLogger('backup');
const tools = { postgresToolsPath: environment.postgresToolsPath, ...(pgDumpPath ? { pgDumpPath } : {}) };

/** Keep the snapshot of a distributed backup by turns. */
const HOLDERS = 2;

/** Of a round of an incremental backup, for beginning to read more changes. */
const CAPTURING_MS = 45_000;

function targetOf(database: string, applicationName: string) {
  const clients = { secretsManager: secretsManagerClient() };
  return connectionTarget(findDatabase(configuration, database), configuration.connections, clients, applicationName);
}

/** Nobody is there to read the refusal of a backup that a schedule began. */
const leavesOut = ({ scheduled_at }: BackupEvent): boolean =>
  settings.unreadable === 'leave_out' ||
  (settings.unreadable === 'leave_out_when_scheduled' && scheduled_at !== undefined);

function requestOf(event: BackupEvent, id: string) {
  const { database, backup_type: backupType, custom_name: customName, requested_by: requestedBy } = event;
  const { include = null, exclude = null, sample = null } = event;
  return {
    id,
    database: findDatabase(configuration, database).id,
    backupType: exportedTypeSchema.parse(backupType),
    customName,
    selection: include || exclude ? { include, exclude } : null,
    sample,
    requestedBy,
    leavesOut: leavesOut(event),
  };
}

const beforeBackup = (database: string, backupId: string, signal: AbortSignal) => ({
  database: findDatabase(configuration, database),
  target: targetOf(database, `dbms backup ${backupId}`),
  configuration,
  signal,
});

/** The rules of a masked backup. */
async function maskingOf({ database, masked }: BackupEvent): Promise<Pick<BackupRequest, 'masking'>> {
  const { maskingKeyArn: keyArn, backupKeyArn } = environment;
  const key = { table, kms: kmsClient(), keyArn, backupKeyArn };
  return masked ? { masking: await loadMaskingRules(key, database) } : {};
}

/** Takes one backup, asked for through the API or by a schedule. */
export const handler = withDurableExecution(async (input: unknown, context) => {
  const event = backupEventSchema.parse(input);
  const subject = { kind: 'backup', database: event.database, target: event.backup_id ?? null } as const;
  const audited = auditSteps(
    { auditor, jobs },
    { ...subject, jobId: event.job_id ?? null, requestedBy: event.requested_by },
  );
  const steps = distributedSteps(context, audited);
  const execution = context.executionContext.durableExecutionArn;
  const findObstacle = async () => {
    if (event.backup_type !== 'incremental') return null;
    return (await incrementObstacle(table, event.database))?.message ?? null;
  };
  const run =
    event.scheduled_at === undefined ? null : scheduledRun(table, event, event.scheduled_at, execution, findObstacle);
  if (run) {
    const admitted = await bookkeep(steps, 'admit', run.admit);
    if (admitted !== 'admitted') return { status: admitted };
  }
  /** Runs work that ends with the invocation's time, or when the job is cancelled. */
  const within = <Result>(jobId: string, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> =>
    withCancellation(jobs, jobId, (cancelled) => work(AbortSignal.any([invocationSignal(context), cancelled])));

  return runBackupJob(event, steps, {
    retentionDays: settings.retention_days,
    register: async ({
      database,
      backup_type,
      custom_name,
      include,
      exclude,
      masked,
      sample,
      requested_by,
      job_id,
      backup_id,
    }) => {
      if (job_id && backup_id) return { jobId: job_id, backupId: backup_id };
      const { job, event: begun } = await registerBackup(table, {
        database: findDatabase(configuration, database).id,
        requestedBy: requested_by,
        backupType: backup_type,
        customName: custom_name,
        include,
        exclude,
        masked,
        sample,
        // A repeated step finds the job that the first one made, and so does the end of the execution.
        claim: executionClaim(execution),
      });
      if (!begun.backup_id) throw new Error(`The job ${job.id} was registered without a backup`);
      await run?.registered(job.id, begun.backup_id);
      return { jobId: job.id, backupId: begun.backup_id };
    },
    start: (jobId) => startIfFree(jobId, turns),
    report: async (jobId, progress) => {
      await jobs.reportProgress(jobId, progress);
    },
    takeBackup: (event, { jobId, backupId }, report) =>
      within(jobId, async (signal) => {
        const isWhole = !event.include && !event.exclude && event.backup_type === 'full';
        if (isWhole)
          await assertBackupPossible({
            ...beforeBackup(event.database, backupId, signal),
            leavesOut: leavesOut(event),
          });
        return runBackup(
          { ...requestOf(event, backupId), ...(await maskingOf(event)) },
          {
            target: targetOf(event.database, `dbms backup ${backupId}`),
            store,
            settings,
            ...tools,
            report,
            signal,
            mostWork: workWithin(workTime(context), settings.connections),
          },
        );
      }).catch((error: unknown) => {
        if (error instanceof LargerThanOneInvocation) return null;
        throw error;
      }),
    takeIncrement: (
      { database, custom_name: customName, requested_by: requestedBy },
      { jobId, backupId: id },
      captured,
      report,
    ) =>
      within(jobId, async (signal) =>
        takeIncrement(
          { id, database, customName, requestedBy, createdAt: (await jobs.get(jobId)).created_at },
          {
            target: targetOf(database, `dbms backup ${id}`),
            store,
            table,
            compressionLevel: settings.compression_level,
            timeMs: CAPTURING_MS,
            signal,
            captured,
            report,
            onDefinitions: recordDefinitions(auditor, database),
            onUnauthenticated: recordUnauthenticated(auditor, database),
            onStreamRefused: (error) => logger.warn(STREAM_REFUSED, { database, job: jobId, error }),
          },
        ),
      ),
    distributed: (event, { jobId, backupId }) => {
      const application = `dbms backup ${backupId}`;
      const target = targetOf(event.database, application);
      const request = requestOf(event, backupId);
      const dump = (snapshot: string, signal: AbortSignal) => dumpSchema({ target, snapshot, ...tools, signal });
      const shared = { exports, target, store, settings, dump, nativePgDump: pgDumpPath !== undefined };
      const report = async (progress: Progress): Promise<void> => {
        await jobs.reportProgress(jobId, progress);
      };
      return {
        holderFunction: environment.snapshotHolderFunctionArn,
        laneFunction: environment.exportLaneFunctionArn,
        begin: (id) => exports.create({ id, job_id: jobId, backup_id: backupId, database: request.database }),
        takeWorkers: async () => {
          const most = settings.lanes + HOLDERS;
          const capacity = configuration.concurrency.exports;
          const taken = await turns.places.take('exports', { jobId, least: HOLDERS + 1, most, capacity });
          return taken === 0 ? null : taken - HOLDERS;
        },
        plan: (id, workers) => {
          const time = invocationTime(() => context.lambdaContext.getRemainingTimeInMillis());
          return within(jobId, async (signal) =>
            planExport(
              id,
              { ...request, ...(await maskingOf(event)) },
              {
                ...shared,
                settings: { ...settings, lanes: Math.min(settings.lanes, workers) },
                signal,
                time,
                application,
              },
            ),
          );
        },
        define: (id) => within(jobId, (signal) => storeDefinitions(id, { ...shared, signal })),
        divide: (id, round) => within(jobId, (signal) => divideRound(id, round, { ...shared, signal })),
        finish: (id, definitions) =>
          within(jobId, (signal) => finishExport(id, request, definitions, { ...shared, report, signal })),
        giveUp: async (id, error) => {
          await exports.recordTrouble(id, error);
          await exports.markLost(id);
        },
        end: (id) => exports.end(id),
      };
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
