import './durable/collect-rarely.ts';
import type { Context } from 'aws-lambda';
import { dynamodbClient, kmsClient, s3Client, secretsManagerClient } from '../shared/aws/clients.ts';
import { type LaneAnswer, laneEventSchema } from '../shared/backup/distributed/events.ts';
import { invocationTime } from '../shared/backup/distributed/invocation-time.ts';
import { exportShare } from '../shared/backup/distributed/lane.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { toJobError } from '../shared/jobs/attempts.ts';
import { withCancellation } from '../shared/jobs/cancellation.ts';
import { auditSteps } from '../shared/jobs/step-audit.ts';
import { connectionTarget } from '../shared/postgres/target.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';
import { loadMaskingKey } from '../shared/security/masking/masking-key.ts';
import { createExportStore } from '../shared/state/exports.ts';
import { createJobStore } from '../shared/state/jobs.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'backupBucket', 'backupKeyArn', 'maskingKeyArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const exports = createExportStore(table);
const jobs = createJobStore(table);
const auditor = openAuditor();
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };

const { maskingKeyArn: keyArn, backupKeyArn } = environment;
const loadKey = () => loadMaskingKey({ table, kms: kmsClient(), keyArn, backupKeyArn });

/** Exports a share of a distributed backup as far as the time of one invocation goes. */
export async function handler(input: unknown, context: Context): Promise<LaneAnswer> {
  const time = invocationTime(() => context.getRemainingTimeInMillis());
  const event = laneEventSchema.parse(input);
  try {
    const { database, backup_id, job_id } = await exports.get(event.export_id);
    const target = connectionTarget(
      findDatabase(configuration, database),
      configuration.connections,
      { secretsManager: secretsManagerClient() },
      `dbms backup ${backup_id} lane ${event.lane}`,
    );
    const audited = auditSteps(
      { auditor, jobs },
      { kind: 'backup', database, target: backup_id, jobId: job_id, requestedBy: null },
    );
    const { left } = await withCancellation(jobs, job_id, (signal) =>
      audited('lane', () =>
        exportShare(event, {
          exports,
          target,
          store,
          settings: configuration.backups,
          time,
          loadMaskingKey: loadKey,
          signal,
        }),
      ),
    );
    return { status: 'exported', left };
  } catch (error) {
    // An error that crosses Lambda keeps its message alone; the code decides whether it is worth trying again.
    return { status: 'failed', error: toJobError(error) };
  }
}
