import type { Context } from 'aws-lambda';
import { dynamodbClient, s3Client, secretsManagerClient } from '../shared/aws/clients.ts';
import { type HolderAnswer, holderEventSchema } from '../shared/backup/distributed/events.ts';
import { holdSnapshot } from '../shared/backup/distributed/holder.ts';
import { invocationTime } from '../shared/backup/distributed/invocation-time.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { withCancellation } from '../shared/jobs/cancellation.ts';
import { connectionTarget } from '../shared/postgres/target.ts';
import { createExportStore } from '../shared/state/exports.ts';
import { createJobStore } from '../shared/state/jobs.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'backupBucket', 'backupKeyArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const exports = createExportStore(table);
const jobs = createJobStore(table);
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };

/** Keeps the snapshot of a distributed backup for the time of one invocation, by turns with another one. */
export async function handler(input: unknown, context: Context): Promise<HolderAnswer> {
  const time = invocationTime(() => context.getRemainingTimeInMillis());
  const event = holderEventSchema.parse(input);
  const { database, backup_id, job_id } = await exports.get(event.export_id);
  const target = connectionTarget(
    findDatabase(configuration, database),
    configuration.connections,
    { secretsManager: secretsManagerClient() },
    `dbms backup ${backup_id} holder ${event.track}`,
  );
  const hold = (signal: AbortSignal) =>
    holdSnapshot(event, {
      exports,
      target,
      store,
      report: async (progress) => {
        await jobs.reportProgress(job_id, progress);
      },
      time,
      signal,
    });
  return withCancellation(jobs, job_id, hold);
}
