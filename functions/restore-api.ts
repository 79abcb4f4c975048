import { dynamodbClient, lambdaClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import { acceptedJob } from '../shared/http/accepted.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { functionStarter, startRestore } from '../shared/jobs/start.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'restoreFunctionArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const startFunction = functionStarter(lambdaClient(), environment.restoreFunctionArn);

export const handler = createApiHandler('restore-api', {
  createRestore: async (request) => {
    const { query, body, caller, claim } = request;
    const started = await startRestore(
      { table, startFunction },
      {
        database: findDatabase(configuration, query.database).id,
        requestedBy: caller.sub,
        backupId: body.backup_id,
        targetDatabase: body.target_database,
        claim,
      },
    );
    return acceptedJob(request, started);
  },
});
