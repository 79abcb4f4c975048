import { dynamodbClient, lambdaClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { acceptedJob } from '../shared/http/accepted.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { restoreTarget } from '../shared/jobs/restore-target.ts';
import { resumeRestore } from '../shared/jobs/resume.ts';
import { functionStarter, startRestore } from '../shared/jobs/start.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'restoreFunctionArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const startFunction = functionStarter(lambdaClient(), environment.restoreFunctionArn);

export const handler = createApiHandler('restore-api', {
  createRestore: async (request) => {
    const { query, body, caller, claim } = request;
    const { backup_id, confirm: _, mode, target_database: __, environment: ___, ...options } = body;
    const target = restoreTarget(configuration, query, body);
    const started = await startRestore(
      { table, startFunction },
      {
        database: target.database,
        requestedBy: caller.sub,
        backupId: backup_id,
        targetDatabase: target.targetDatabase,
        mode,
        environment: target.environment,
        options,
        claim,
      },
    );
    return acceptedJob(request, started);
  },
  resumeRestore: async (request) => {
    const { params, caller, claim } = request;
    const resumed = { jobId: params.id, requestedBy: caller.sub, claim };
    return acceptedJob(request, await resumeRestore({ table, startFunction }, resumed));
  },
});
