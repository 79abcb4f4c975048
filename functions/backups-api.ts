import { dynamodbClient, lambdaClient, s3Client } from '../shared/aws/clients.ts';
import { removeBackup } from '../shared/backup/remove.ts';
import { withRetention } from '../shared/backup/retention/entries.ts';
import { retentionPolicy } from '../shared/backup/retention/policy.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import type { Backup } from '../shared/contract/schemas/backup.ts';
import { serverObstacle } from '../shared/health/server-obstacle.ts';
import { acceptedJob } from '../shared/http/accepted.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { withProgress } from '../shared/jobs/backup-progress.ts';
import type { ValidationEvent } from '../shared/jobs/events.ts';
import { type RebuildEvent, startRebuild } from '../shared/jobs/rebuild-job.ts';
import { functionStarter, startBackup } from '../shared/jobs/start.ts';
import { startValidation } from '../shared/jobs/start-validation.ts';
import { incrementObstacle } from '../shared/recovery/increment-possible.ts';
import { createBackupCatalog, findListed } from '../shared/state/backups.ts';
import { createJobStore } from '../shared/state/jobs.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment([
  'stateTable',
  'backupBucket',
  'downloadBucket',
  'backupFunctionArn',
  'rebuildFunctionArn',
  'validateFunctionArn',
]);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const backups = createBackupCatalog(table);
const jobs = createJobStore(table);
const startFunction = functionStarter(lambdaClient(), environment.backupFunctionArn);
const startRebuildFunction = functionStarter<RebuildEvent>(lambdaClient(), environment.rebuildFunctionArn);
const startValidateFunction = functionStarter<ValidationEvent>(lambdaClient(), environment.validateFunctionArn);

/** Backups of one database with what is not stored with them: progress, and why they are kept. */
async function describe(backups: readonly Backup[]): Promise<Backup[]> {
  const database = configuration.databases.find(({ id }) => id === backups[0]?.database);
  // Nothing expires of a database that is not configured.
  const policy = database && retentionPolicy(configuration, database);
  return withProgress(jobs, await withRetention(table, policy, backups));
}

export const handler = createApiHandler('backups-api', {
  createBackup: async (request) => {
    const { query, body, caller, claim } = request;
    const configured = findDatabase(configuration, query.database);
    const database = configured.id;
    const obstacle =
      (await serverObstacle(table, configured, 'exporting')) ??
      (body.backup_type === 'incremental' ? await incrementObstacle(table, database) : null);
    const started = await startBackup(
      { table, startFunction },
      {
        database,
        requestedBy: caller.sub,
        backupType: body.backup_type,
        customName: body.custom_name,
        include: body.include,
        exclude: body.exclude,
        masked: body.masked,
        sample: body.sample,
        claim,
        check: () => {
          if (obstacle) throw obstacle;
        },
      },
    );
    return acceptedJob(request, started);
  },
  listBackups: async ({ query }) => {
    const page = await backups.list({ ...query, database: await findListed(configuration, table, query.database) });
    return { status: 200, body: { ...page, items: await describe(page.items) } };
  },
  getBackup: async ({ params }) => {
    const backup = await backups.get(params.id);
    const [body = backup] = await describe([backup]);
    return { status: 200, body };
  },
  deleteBackup: async ({ params, query }) => {
    const { backupBucket: bucket, downloadBucket } = environment;
    await removeBackup({ s3: s3Client(), bucket, downloadBucket, table }, params.id, { force: query.force === 'true' });
    return { status: 204 };
  },
  validateBackup: async (request) => {
    const { params, body, caller, claim } = request;
    if (body.level === 'restore' && configuration.drills.server !== null) {
      const server = findDatabase(configuration, configuration.drills.server);
      const obstacle = await serverObstacle(table, server, 'restoring');
      if (obstacle) throw obstacle;
    }
    const started = await startValidation({ table, startFunction: startValidateFunction }, configuration, {
      backupId: params.id,
      level: body.level,
      requestedBy: caller.sub,
      claim,
    });
    return acceptedJob(request, started);
  },
  rebuildCatalog: async (request) => {
    const job = await startRebuild(
      { table, startFunction: startRebuildFunction },
      {
        database: findDatabase(configuration, request.query.database).id,
        all: request.query.all === 'true',
        requestedBy: request.caller.sub,
      },
    );
    return acceptedJob(request, { job, replayed: false });
  },
});
