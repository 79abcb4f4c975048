import { dynamodbClient, kmsClient, secretsManagerClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { findDatabase, loadConfiguration } from '../shared/configuration/load.ts';
import type { Database } from '../shared/configuration/runtime.ts';
import { createApiHandler } from '../shared/http/api-handler.ts';
import { Refusal } from '../shared/http/problem.ts';
import { connectionTarget } from '../shared/postgres/target.ts';
import { changeMasking, describeMasking, proposeMasking } from '../shared/security/masking/change-masking.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'backupKeyArn', 'maskingKeyArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);

/** Ends before API Gateway gives up waiting. */
const REQUEST_MS = 25_000;
/** For looking at rows; one table more may take some seconds. */
const FINDING_MS = 12_000;
/** For that, and for holding the proposed rules against the database. */
const PROPOSING_MS = 19_000;

const dependenciesOf = (database: Database, milliseconds: number) => ({
  table,
  kms: kmsClient(),
  keyArn: environment.maskingKeyArn,
  backupKeyArn: environment.backupKeyArn,
  target: connectionTarget(
    database,
    configuration.connections,
    { secretsManager: secretsManagerClient() },
    'dbms masking',
  ),
  signal: AbortSignal.timeout(milliseconds),
});

export const handler = createApiHandler('masking-api', {
  getMasking: async ({ query }) => ({
    status: 200,
    body: await describeMasking({ table }, findDatabase(configuration, query.database).id),
  }),
  changeMasking: async ({ query, body, caller }) => {
    const database = findDatabase(configuration, query.database);
    const dependencies = dependenciesOf(database, REQUEST_MS);
    const { problems, warnings } = await changeMasking(dependencies, {
      database: database.id,
      change: body,
      by: caller.sub,
    });
    if (problems.length > 0) {
      throw new Refusal(
        'masking_refused',
        `The rules do not fit the database: ${problems.length} problems`,
        'Correct the rules named in errors.',
        { errors: problems.map(({ rule, message }) => ({ field: `body.rules.${rule}`, message })) },
      );
    }
    return { status: 200, body: { ...(await describeMasking({ table }, database.id)), warnings } };
  },
  findPersonalData: async ({ query }) => {
    const database = findDatabase(configuration, query.database);
    return {
      status: 200,
      body: await proposeMasking(
        { ...dependenciesOf(database, PROPOSING_MS), readUntil: AbortSignal.timeout(FINDING_MS) },
        database.id,
      ),
    };
  },
});
