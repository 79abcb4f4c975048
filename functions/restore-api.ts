import { dynamodbClient, lambdaClient, s3Client } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { serverObstacle } from '../shared/health/server-obstacle.ts';
import { acceptedJob } from '../shared/http/accepted.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { restoreTarget } from '../shared/jobs/restore-target.ts';
import { resumeRestore } from '../shared/jobs/resume.ts';
import { functionStarter, startRestore } from '../shared/jobs/start.ts';
import { assertConfirmed, assertTargetAllowed } from '../shared/jobs/unmanaged-target.ts';
import { chooseBase } from '../shared/recovery/choose-base.ts';
import { splitMoment } from '../shared/recovery/moment.ts';
import { resolveRestore } from '../shared/recovery/resolve-restore.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'backupBucket', 'backupKeyArn', 'restoreFunctionArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };
const startFunction = functionStarter(lambdaClient(), environment.restoreFunctionArn);

/** For looking whether the moment can be reached; the job looks again. */
const PLANNING_MS = 18_000;

export const handler = createApiHandler('restore-api', {
  createRestore: async (request) => {
    const { query, body, caller, claim } = request;
    const {
      backup_id,
      confirm: _,
      mode,
      target_database: __,
      environment: ___,
      confirm_unmanaged: ____,
      ...rest
    } = body;
    const { recovery: named, options } = splitMoment(rest);
    const target = restoreTarget(configuration, query, body);
    assertTargetAllowed(target, body, caller, configuration.databases);
    assertConfirmed(target, body);
    const obstacle = await serverObstacle(table, target.server, 'restoring');
    if (obstacle) throw obstacle;
    const signal = AbortSignal.timeout(PLANNING_MS);
    const { database } = target;
    const wanted = await resolveRestore(table, database, { backupId: backup_id, recovery: named }, body);
    const { recovery } = wanted;
    const { backupId } = recovery
      ? await chooseBase({ database, backupId: wanted.backupId }, recovery, { table, store, signal })
      : { backupId: wanted.backupId ?? '' };
    const started = await startRestore(
      { table, startFunction },
      {
        database,
        requestedBy: caller.sub,
        backupId,
        targetDatabase: target.targetDatabase,
        mode,
        environment: target.environment,
        options,
        recovery,
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
