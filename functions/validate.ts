import './durable/collect-rarely.ts';
import { withDurableExecution } from '@aws/durable-execution-sdk-js';
import { cloudwatchClient, dynamodbClient, s3Client, secretsManagerClient } from '../shared/aws/clients.ts';
import { checkIntegrity } from '../shared/backup/validate/check-integrity.ts';
import { discardDrill, runDrill } from '../shared/backup/validate/drill.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { publishBackupAges } from '../shared/health/backup-ages.ts';
import { createLogger } from '../shared/http/log.ts';
import { withCancellation } from '../shared/jobs/cancellation.ts';
import { cancelJob, endValidation } from '../shared/jobs/end.ts';
import { validationEventSchema } from '../shared/jobs/events.ts';
import { executionClaim } from '../shared/jobs/execution-ended.ts';
import { drillServer, registerScheduled } from '../shared/jobs/start-validation.ts';
import { auditSteps } from '../shared/jobs/step-audit.ts';
import { startIfFree } from '../shared/jobs/turns.ts';
import { runValidationJob } from '../shared/jobs/validation-job.ts';
import { openParser } from '../shared/postgres/parse-statements.ts';
import { connectionTarget } from '../shared/postgres/target.ts';
import { checkIncrement } from '../shared/recovery/check-increment.ts';
import { planOnBase } from '../shared/recovery/plan-on-base.ts';
import { replayOf } from '../shared/recovery/replay.ts';
import { endOfIncrement } from '../shared/recovery/resolve-restore.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';
import { createBackupCatalog } from '../shared/state/backups.ts';
import { createJobStore, isEnded } from '../shared/state/jobs.ts';
import { createPlaceStore } from '../shared/state/places.ts';
import { openTable } from '../shared/state/table.ts';
import { durableSteps, invocationSignal } from './durable/steps.ts';

const environment = readEnvironment([
  'stateTable',
  'backupBucket',
  'backupKeyArn',
  'metricNamespace',
  'postgresToolsPath',
]);
const parse = openParser(environment.postgresToolsPath);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const jobs = createJobStore(table);
const turns = { jobs, places: createPlaceStore(table), capacity: configuration.concurrency.jobs };
const backups = createBackupCatalog(table);
const auditor = openAuditor();
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };
const logger = createLogger('validate');

const drillTarget = (jobId: string) =>
  connectionTarget(
    findDatabase(configuration, drillServer(configuration)),
    configuration.connections,
    { secretsManager: secretsManagerClient() },
    `dbms drill ${jobId}`,
  );

/** Validates one backup, asked for through the API or by a schedule. */
export const handler = withDurableExecution(async (input: unknown, context) => {
  const event = validationEventSchema.parse(input);
  const audited = auditSteps(
    { auditor, jobs },
    {
      kind: 'validation',
      database: event.database,
      target: event.backup_id ?? null,
      jobId: event.job_id ?? null,
      requestedBy: event.requested_by,
    },
  );
  return runValidationJob(event, durableSteps(context, audited), {
    register: async ({ database, level, backup_id, job_id, requested_by: requestedBy }) => {
      if (job_id && backup_id) return { jobId: job_id, backupId: backup_id };
      // A repeated step finds the job that the first one made, and so does the end of the execution.
      const claim = executionClaim(context.executionContext.durableExecutionArn);
      const job = await registerScheduled(table, configuration, { database, level, requestedBy, claim });
      return { jobId: job.id, backupId: job.backup_id };
    },
    start: (jobId) => startIfFree(jobId, turns),
    report: async (jobId, progress) => {
      await jobs.reportProgress(jobId, progress);
    },
    checkIntegrity: async (validation, from, report) => {
      const { increment } = await backups.get(validation.backupId);
      const check = increment === null ? checkIntegrity : checkIncrement;
      return withCancellation(jobs, validation.jobId, (signal) =>
        check(validation, from, { store, report, signal, timeIsOver: invocationSignal(context) }),
      );
    },
    drill: async (validation, report) => {
      const { jobId, database } = validation;
      const { id, increment } = await backups.get(validation.backupId);
      const { warnings } = await withCancellation(jobs, jobId, async (cancelled) => {
        const target = drillTarget(jobId);
        const signal = AbortSignal.any([invocationSignal(context), cancelled]);
        const backupId = increment?.base ?? id;
        const replay = increment
          ? replayOf(
              await planOnBase({ id: backupId, database }, endOfIncrement(increment), { table, store, signal }),
              {
                ...{ target, store, signal, parse, isPart: false },
                owners: { ownersLeftOut: true },
              },
            )
          : undefined;
        return runDrill(
          { jobId, backupId, database },
          {
            target,
            store,
            settings: configuration.backups,
            report,
            replay,
            signal,
            hasEnded: async (id) => {
              const job = await jobs.find(id);
              return job !== null && isEnded(job);
            },
          },
        );
      });
      return warnings;
    },
    discard: (jobId) => discardDrill(drillTarget(jobId), jobId),
    end: async (end) => {
      await endValidation(table, end);
      const metrics = { table, cloudwatch: cloudwatchClient(), namespace: environment.metricNamespace };
      // The hourly run sends them again.
      await publishBackupAges(event.database, metrics).catch((error: unknown) => {
        logger.warn('The ages of the backups could not be published', { database: event.database, error });
      });
    },
    cancelled: async (jobId) => {
      await cancelJob(table, jobId);
    },
  });
});
