import './durable/collect-rarely.ts';
import { withDurableExecution } from '@aws/durable-execution-sdk-js';
import { cloudwatchClient, dynamodbClient, kmsClient, s3Client, secretsManagerClient } from '../shared/aws/clients.ts';
import { restoreOptionsOf } from '../shared/backup/restore/request-options.ts';
import { runRestore } from '../shared/backup/restore/run-restore.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { isLessTrusted } from '../shared/configuration/trust.ts';
import { withCancellation } from '../shared/jobs/cancellation.ts';
import { takeBackRestore } from '../shared/jobs/discard.ts';
import { cancelJob, failJob, succeedRestore } from '../shared/jobs/end.ts';
import { type RestoreEvent, restoreEventSchema } from '../shared/jobs/events.ts';
import { runRestoreJob } from '../shared/jobs/restore-job.ts';
import { auditSteps } from '../shared/jobs/step-audit.ts';
import { startIfFree } from '../shared/jobs/turns.ts';
import { platformOf } from '../shared/platforms/platforms.ts';
import { openParser } from '../shared/postgres/parse-statements.ts';
import { connectionTarget } from '../shared/postgres/target.ts';
import { replayCheck } from '../shared/recovery/check-replay.ts';
import { planOnBase } from '../shared/recovery/plan-on-base.ts';
import { ownersOf, replayOf } from '../shared/recovery/replay.ts';
import { findWithoutIdentity } from '../shared/recovery/without-identity.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';
import { loadMaskingRules } from '../shared/security/masking/change-masking.ts';
import { createJobStore } from '../shared/state/jobs.ts';
import { createPlaceStore } from '../shared/state/places.ts';
import { openTable } from '../shared/state/table.ts';
import { durableSteps, invocationSignal } from './durable/steps.ts';

const environment = readEnvironment([
  'stateTable',
  'backupBucket',
  'backupKeyArn',
  'maskingKeyArn',
  'postgresToolsPath',
]);
const parse = openParser(environment.postgresToolsPath);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const jobs = createJobStore(table);
const turns = { jobs, places: createPlaceStore(table), capacity: configuration.concurrency.jobs };
const auditor = openAuditor();
const { maskingKeyArn: keyArn, backupKeyArn } = environment;
const maskingKey = { table, kms: kmsClient(), keyArn, backupKeyArn };
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };

/** Whether the target is trusted less than what the backup is of. */
const lessTrusted = (event: RestoreEvent) =>
  isLessTrusted(
    configuration.databases.find(({ id }) => id === event.database),
    serverOf(event),
  );
const serverOf = ({ environment, database }: RestoreEvent) => findDatabase(configuration, environment ?? database);
const targetOf = (event: RestoreEvent) =>
  connectionTarget(
    serverOf(event),
    configuration.connections,
    { secretsManager: secretsManagerClient() },
    `dbms restore ${event.job_id}`,
  );

/** Restores one backup into a new database, which may take the place of another, or its rows into tables that are there. */
export const handler = withDurableExecution(async (input: unknown, context) => {
  const event = restoreEventSchema.parse(input);
  const audited = auditSteps(
    { auditor, jobs },
    {
      kind: 'restore',
      database: event.environment ?? event.database,
      target: event.target_database,
      jobId: event.job_id,
      requestedBy: event.requested_by,
    },
  );
  return runRestoreJob(event, durableSteps(context, audited), {
    start: (jobId) => startIfFree(jobId, turns),
    report: async (jobId, progress) => {
      await jobs.reportProgress(jobId, progress);
    },
    restore: (event, report) => {
      const { database, backup_id, target_database, mode, job_id, resumes, recovery } = event;
      const restore = async (cancelled: AbortSignal) => {
        const target = targetOf(event);
        const signal = AbortSignal.any([invocationSignal(context), cancelled]);
        const options = restoreOptionsOf(event.options, lessTrusted(event));
        const masking = event.options.masked ? await loadMaskingRules(maskingKey, database) : undefined;
        // Before anything is restored: a moment that cannot be reached is refused.
        const planned = recovery && (await planOnBase({ id: backup_id, database }, recovery, { table, store, signal }));
        const withoutIdentity = planned ? await findWithoutIdentity(planned.plan, { store, signal }) : [];
        const isPart = options.selection !== undefined;
        const owners = ownersOf(options);
        return runRestore(
          {
            jobId: job_id,
            resumes,
            resumable: true,
            backupId: backup_id,
            database,
            targetDatabase: target_database,
            mode,
            ...options,
            masking,
          },
          {
            target,
            store,
            readFreeSpace: () => platformOf(serverOf(event)).storage.readFree(serverOf(event), cloudwatchClient()),
            settings: configuration.backups,
            report,
            signal,
            ...(planned
              ? {
                  replay: replayOf(planned, { target, store, signal, parse, isPart, owners }),
                  checkReplay: replayCheck({ definers: planned.plan.definers, withoutIdentity }, options),
                }
              : {}),
          },
        );
      };
      return withCancellation(jobs, job_id, restore);
    },
    takeBack: (event) => takeBackRestore(event, { target: targetOf(event), store }),
    succeed: (jobId, outcome) => succeedRestore(table, { jobId, backupId: event.backup_id, ...outcome }),
    fail: async (jobId, error, unfinished) => {
      await failJob(table, jobId, error, undefined, unfinished);
    },
    cancelled: async (jobId) => {
      await cancelJob(table, jobId);
    },
  });
});
