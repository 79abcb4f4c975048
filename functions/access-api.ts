import type pg from 'pg';
import { dynamodbClient, secretsManagerClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import type { Database } from '../shared/configuration/runtime.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { platformOf } from '../shared/platforms/platforms.ts';
import { monitoringTarget } from '../shared/postgres/target.ts';
import { withConnection } from '../shared/postgres/with-connection.ts';
import { changeLogin } from '../shared/security/access/change-login.ts';
import { describeAccess } from '../shared/security/access/describe-access.ts';
import { openTable } from '../shared/state/table.ts';

const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), readEnvironment(['stateTable']).stateTable);

const STATEMENT_MS = 10_000;
const LOCK_MS = 2_000;

const onServer = <Result>(database: Database, work: (client: pg.Client) => Promise<Result>): Promise<Result> =>
  withConnection(
    monitoringTarget(database, configuration.connections, { secretsManager: secretsManagerClient() }, 'dbms access'),
    { kind: 'monitoring', statementTimeoutMs: STATEMENT_MS, lockTimeoutMs: LOCK_MS },
    work,
  );

export const handler = createApiHandler('access-api', {
  getAccess: async ({ query }) => {
    const database = findDatabase(configuration, query.database);
    return { status: 200, body: await onServer(database, (client) => describeAccess(client, table, database.id)) };
  },
  changeLogin: async ({ params, query, body }) => {
    const database = findDatabase(configuration, query.database);
    const changed = await onServer(database, (client) => changeLogin(client, params.role, body, platformOf(database)));
    return { status: 200, body: { database: database.id, ...changed } };
  },
});
