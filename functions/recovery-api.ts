import { dynamodbClient, s3Client, secretsManagerClient } from '../shared/aws/clients.ts';
import { setupPlaceOf } from '../shared/changes/setup/check-setup.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import type { Database } from '../shared/configuration/runtime.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { connectionTarget } from '../shared/postgres/target.ts';
import { turnRecoveryOff, turnRecoveryOn } from '../shared/recovery/change-recovery.ts';
import { describeRecovery } from '../shared/recovery/describe-window.ts';
import { guardLimits } from '../shared/recovery/limits.ts';
import { pauseRecovery } from '../shared/recovery/pause-recovery.ts';
import { listRowChanges } from '../shared/recovery/row-changes/list-row-changes.ts';
import { openAuditor } from '../shared/security/audit/open-auditor.ts';
import { recordDefinitions } from '../shared/security/audit/subjects.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'backupBucket', 'backupKeyArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const store = { s3: s3Client(), bucket: environment.backupBucket, keyArn: environment.backupKeyArn };

const auditor = openAuditor();

/** All ends before API Gateway gives up waiting. */
const REQUEST_MS = 25_000;
/** The longest wait for transactions that are running when a slot is made. */
const WAIT_MS = 15_000;
/** For capturing what is left before a pause; what remains is left to the runs of the capture. */
const CAPTURE_MS = 10_000;
/** For listing stored changes; a page that takes long to prepare takes half as much again. */
const LOOKING_MS = 14_000;

const dependenciesOf = (database: Database) => ({
  target: connectionTarget(
    database,
    configuration.connections,
    { secretsManager: secretsManagerClient() },
    'dbms recovery',
  ),
  store,
  table,
  configuration,
  limits: guardLimits(configuration, database),
  place: setupPlaceOf(database),
  captureMinutes: configuration.recovery.capture_minutes,
  waitMs: WAIT_MS,
  compressionLevel: configuration.backups.compression_level,
  timeMs: CAPTURE_MS,
  onDefinitions: recordDefinitions(auditor, database.id),
  signal: AbortSignal.timeout(REQUEST_MS),
});

export const handler = createApiHandler('recovery-api', {
  getRecoveryWindow: async ({ query }) => {
    const database = findDatabase(configuration, query.database);
    return { status: 200, body: await describeRecovery(database.id, dependenciesOf(database)) };
  },
  changeRecovery: async ({ query, body, caller }) => {
    const database = findDatabase(configuration, query.database);
    const dependencies = dependenciesOf(database);
    const { status = body.enabled ? 'on' : 'off' } = body;
    if (status === 'on') await turnRecoveryOn(database.id, caller.sub, dependencies);
    else if (status === 'off') await turnRecoveryOff(database.id, caller.sub, dependencies);
    else await pauseRecovery(database.id, caller.sub, dependencies);
    return { status: 200, body: await describeRecovery(database.id, dependencies) };
  },
  listRowChanges: async ({ query: { database: id, ...asked } }) => {
    const database = findDatabase(configuration, id);
    const dependencies = { ...dependenciesOf(database), timeMs: LOOKING_MS };
    const { table: name, key, from, to, cursor, limit } = asked;
    const request = { database: database.id, table: name, key, from, to, cursor, limit };
    return { status: 200, body: await listRowChanges(request, dependencies) };
  },
});
