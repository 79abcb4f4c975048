import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createTable } from '../../local/aws/dynamodb/create-table.ts';
import { type LocalServices, startServices } from '../../local/aws/services.ts';
import { openTable, type StateTable, stateKeys } from '../../shared/state/table.ts';

export interface StateService {
  table: StateTable;
  auditTable: StateTable;
  services: LocalServices;
  close(): Promise<void>;
}

/** Makes an empty State table in local AWS services. */
export async function createStateTable(
  services: LocalServices,
): Promise<{ table: StateTable; client: DynamoDBClient }> {
  const environment = services.environment();
  const client = new DynamoDBClient({
    endpoint: services.endpoints.dynamodb,
    region: environment.AWS_REGION ?? '',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const name = 'State';
  await createTable(client, {
    TableName: name,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [stateKeys.partition, stateKeys.sort, stateKeys.indexPartition, stateKeys.indexSort].map(
      (AttributeName) => ({ AttributeName, AttributeType: 'S' }),
    ),
    KeySchema: [
      { AttributeName: stateKeys.partition, KeyType: 'HASH' },
      { AttributeName: stateKeys.sort, KeyType: 'RANGE' },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: stateKeys.index,
        KeySchema: [
          { AttributeName: stateKeys.indexPartition, KeyType: 'HASH' },
          { AttributeName: stateKeys.indexSort, KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'ALL' },
      },
    ],
  });
  return { table: openTable(client, name), client };
}

/** Makes an empty Audit table, with the same client. */
export async function createAuditTable(client: DynamoDBClient): Promise<StateTable> {
  const name = 'Audit';
  const keys = [stateKeys.partition, stateKeys.sort];
  await createTable(client, {
    TableName: name,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: keys.map((AttributeName, index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' })),
  });
  return openTable(client, name);
}

/**
 * Local AWS services on free ports with an empty State and an empty Audit table, over HTTP through the real SDK.
 *
 * @param prepare - puts into the folder of the services what they are to begin with
 */
export async function startState(
  prepare: (folder: string) => Promise<unknown> = async () => {},
): Promise<StateService> {
  const folder = await mkdtemp(join(tmpdir(), 'dbms-state-'));
  await prepare(folder);
  const services = await startServices({ stateFolder: folder });
  const { table, client } = await createStateTable(services);
  return {
    table,
    auditTable: await createAuditTable(client),
    services,
    async close() {
      client.destroy();
      await services.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
