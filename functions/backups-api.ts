import { dynamodbClient, lambdaClient, s3Client } from '../shared/aws/clients.ts';
import { removeBackup } from '../shared/backup/remove.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { acceptedJob } from '../shared/http/accepted.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { withProgress } from '../shared/jobs/backup-progress.ts';
import { functionStarter, startBackup } from '../shared/jobs/start.ts';
import { createBackupCatalog } from '../shared/state/backups.ts';
import { createJobStore } from '../shared/state/jobs.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'backupBucket', 'backupFunctionArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const backups = createBackupCatalog(table);
const jobs = createJobStore(table);
const startFunction = functionStarter(lambdaClient(), environment.backupFunctionArn);

export const handler = createApiHandler('backups-api', {
  createBackup: async (request) => {
    const { query, body, caller, claim } = request;
    const started = await startBackup(
      { table, startFunction },
      {
        database: findDatabase(configuration, query.database).id,
        requestedBy: caller.sub,
        backupType: body.backup_type,
        customName: body.custom_name,
        claim,
      },
    );
    return acceptedJob(request, started);
  },
  listBackups: async ({ query }) => {
    const page = await backups.list({ ...query, database: findDatabase(configuration, query.database).id });
    return { status: 200, body: { ...page, items: await withProgress(jobs, page.items) } };
  },
  getBackup: async ({ params }) => {
    const backup = await backups.get(params.id);
    const [body = backup] = await withProgress(jobs, [backup]);
    return { status: 200, body };
  },
  deleteBackup: async ({ params }) => {
    await removeBackup({ s3: s3Client(), bucket: environment.backupBucket, table }, params.id);
    return { status: 204 };
  },
});
