import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import {
  DeleteTableCommand,
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  ListTablesCommand,
  UpdateContinuousBackupsCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import {
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactGetCommand,
  TransactWriteCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import dynalite from 'dynalite';
import { beforeAll, describe, expect, it } from 'vitest';
import { createTable } from '../../../local/aws/dynamodb/create-table.ts';
import { clientOptions, useServices } from './support.ts';

const services = useServices();
const TableName = 'State';
let client: DynamoDBClient;
let documents: DynamoDBDocumentClient;

function connect(): void {
  client = new DynamoDBClient(clientOptions(services.current.endpoints.dynamodb));
  documents = DynamoDBDocumentClient.from(client);
}

beforeAll(async () => {
  connect();
  await createTable(client, {
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: ['pk', 'sk', 'collection', 'sort'].map((AttributeName) => ({
      AttributeName,
      AttributeType: 'S',
    })),
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'by_collection',
        KeySchema: [
          { AttributeName: 'collection', KeyType: 'HASH' },
          { AttributeName: 'sort', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'ALL' },
      },
    ],
  });
});

it('makes a table that takes reads, however long that takes', async () => {
  const server = dynalite({ createTableMs: 300 }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const slow = new DynamoDBClient(clientOptions(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  await createTable(slow, {
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
  });
  const found = await DynamoDBDocumentClient.from(slow).send(new GetCommand({ TableName, Key: { pk: 'x' } }));
  expect(found).not.toHaveProperty('Item');
  slow.destroy();
  server.close();
});

const key = (name: string) => ({ pk: name, sk: 'JOB' });
const read = async (name: string) =>
  (await documents.send(new GetCommand({ TableName, Key: key(name), ConsistentRead: true }))).Item;

describe('items', () => {
  it('lists by the secondary index, newest first, in pages', async () => {
    for (const id of ['1', '2', '3'])
      await documents.send(
        new PutCommand({ TableName, Item: { ...key(id), collection: 'JOBS#shop', sort: id, progress: { done: 1 } } }),
      );
    const query = {
      TableName,
      IndexName: 'by_collection',
      KeyConditionExpression: '#collection = :c',
      ExpressionAttributeNames: { '#collection': 'collection' },
      ExpressionAttributeValues: { ':c': 'JOBS#shop' },
      ScanIndexForward: false,
      Limit: 2,
    };
    const first = await documents.send(new QueryCommand(query));
    const second = await documents.send(new QueryCommand({ ...query, ExclusiveStartKey: first.LastEvaluatedKey }));
    expect([...(first.Items ?? []), ...(second.Items ?? [])].map(({ sort }) => sort)).toEqual(['3', '2', '1']);
  });

  it('refuses a conditional write and gives the item that stood in its way', async () => {
    await documents.send(new PutCommand({ TableName, Item: { ...key('c'), state: 'first' } }));
    const again = {
      TableName,
      Item: { ...key('c'), state: 'second' },
      ConditionExpression: 'attribute_not_exists(pk)',
    };
    await expect(documents.send(new PutCommand(again))).rejects.toMatchObject({
      name: 'ConditionalCheckFailedException',
    });
    const refused = documents.send(new PutCommand({ ...again, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' }));
    await expect(refused).rejects.toMatchObject({
      name: 'ConditionalCheckFailedException',
      Item: { state: { S: 'first' } },
    });
    const update = {
      TableName,
      Key: key('c'),
      UpdateExpression: 'SET #s = :s',
      ExpressionAttributeNames: { '#s': 'state' },
      ExpressionAttributeValues: { ':s': 'third' },
    };
    await documents.send(new UpdateCommand(update));
    expect(await read('c')).toMatchObject({ state: 'third' });
  });
});

describe('transactions', () => {
  it('that were cut short are undone at the next start', async () => {
    const [there, made] = [key('cut-1'), key('cut-2')];
    // As it is after the second of three writes; what undoes them is written before the first.
    await documents.send(new PutCommand({ TableName, Item: { ...there, count: 2 } }));
    await documents.send(new PutCommand({ TableName, Item: { ...made, made: true } }));
    const text = (item: Record<string, string>) =>
      Object.fromEntries(Object.entries(item).map(([name, value]) => [name, { S: value }]));
    const journal = services.stateFile('dynamodb-transaction.json');
    await writeFile(
      journal,
      JSON.stringify([
        { TableName, Key: text(there), before: { ...text(there), count: { N: '1' } } },
        { TableName, Key: text(made), before: null },
        { TableName, Key: text(key('cut-3')), before: null },
      ]),
    );
    await services.restart();
    connect();
    const read = async (Key: object) =>
      (await documents.send(new GetCommand({ TableName, Key: { ...Key }, ConsistentRead: true }))).Item;
    expect([await read(there), await read(made)]).toEqual([{ ...there, count: 1 }, undefined]);
    expect(existsSync(journal)).toBe(false);
  });

  const put = (name: string) => ({
    Put: { TableName, Item: { ...key(name), made: true }, ConditionExpression: 'attribute_not_exists(pk)' },
  });

  it('writes all or nothing', async () => {
    await documents.send(new PutCommand({ TableName, Item: { ...key('t0'), count: 1 } }));
    const update = {
      TableName,
      Key: key('t0'),
      UpdateExpression: 'ADD #c :one',
      ExpressionAttributeNames: { '#c': 'count' },
      ExpressionAttributeValues: { ':one': 1 },
    };
    await documents.send(new TransactWriteCommand({ TransactItems: [put('t1'), { Update: update }] }));
    const failed = documents.send(
      new TransactWriteCommand({
        TransactItems: [put('t2'), { Update: update }, { Delete: { TableName, Key: key('t0') } }, put('t1')],
      }),
    );
    await expect(failed).rejects.toMatchObject({
      name: 'TransactionCanceledException',
      CancellationReasons: [{ Code: 'None' }, { Code: 'None' }, { Code: 'None' }, { Code: 'ConditionalCheckFailed' }],
    });
    const { Responses } = await documents.send(
      new TransactGetCommand({
        TransactItems: ['t0', 't1', 't2'].map((name) => ({ Get: { TableName, Key: key(name) } })),
      }),
    );
    expect(Responses?.map(({ Item }) => Item)).toEqual([
      { ...key('t0'), count: 2 },
      { ...key('t1'), made: true },
      undefined,
    ]);
  });

  it('checks a condition without changing the item', async () => {
    const check = (ConditionExpression: string) => ({
      ConditionCheck: { TableName, Key: key('t0'), ConditionExpression, ExpressionAttributeNames: { '#c': 'count' } },
    });
    await documents.send(new TransactWriteCommand({ TransactItems: [check('attribute_exists(#c)'), put('t3')] }));
    const failed = documents.send(
      new TransactWriteCommand({ TransactItems: [put('t4'), check('attribute_not_exists(#c)')] }),
    );
    await expect(failed).rejects.toMatchObject({ name: 'TransactionCanceledException' });
    expect(await read('t0')).toEqual({ ...key('t0'), count: 2 });
    expect(await read('t4')).toBeUndefined();
  });

  it('shows nobody a write that is undone', async () => {
    const refused = { TransactItems: [put('seen'), put('t0')] };
    const seen: unknown[] = [];
    for (let round = 0; round < 20; round += 1) {
      const transaction = documents.send(new TransactWriteCommand(refused)).catch((error: Error) => error.name);
      const reads = Promise.all(Array.from({ length: 10 }, () => read('seen')));
      seen.push(await transaction, ...(await reads));
    }
    expect(new Set(seen)).toEqual(new Set(['TransactionCanceledException', undefined]));
  });

  it('lets concurrent transactions on one item follow each other', async () => {
    await documents.send(new PutCommand({ TableName, Item: { ...key('chain'), head: 0 } }));
    const append = async (): Promise<void> => {
      const head = (await read('chain'))?.head as number;
      const Update = {
        TableName,
        Key: key('chain'),
        UpdateExpression: 'SET head = :next',
        ConditionExpression: 'head = :head',
        ExpressionAttributeValues: { ':head': head, ':next': head + 1 },
      };
      try {
        await documents.send(new TransactWriteCommand({ TransactItems: [{ Update }, put(`link-${head + 1}`)] }));
      } catch (error) {
        expect(error).toMatchObject({ name: 'TransactionCanceledException' });
        return append();
      }
    };
    await Promise.all(Array.from({ length: 8 }, append));
    expect(await read('chain')).toMatchObject({ head: 8 });
    expect(await read('link-8')).toMatchObject({ made: true });
  });
});

describe('tables', () => {
  it('keeps time to live and recovery settings, and everything over a restart', async () => {
    await client.send(
      new UpdateTimeToLiveCommand({
        TableName,
        TimeToLiveSpecification: { Enabled: true, AttributeName: 'expires_at_epoch' },
      }),
    );
    await client.send(
      new UpdateContinuousBackupsCommand({
        TableName,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      }),
    );
    const past = Math.floor(Date.now() / 1000) - 1;
    await documents.send(new PutCommand({ TableName, Item: { ...key('expired'), expires_at_epoch: past } }));
    await documents.send(new PutCommand({ TableName, Item: { ...key('lasting'), expires_at_epoch: past + 3600 } }));
    await services.restart();
    connect();
    const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName }));
    expect(TimeToLiveDescription).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'expires_at_epoch' });
    const { ContinuousBackupsDescription } = await client.send(new DescribeContinuousBackupsCommand({ TableName }));
    expect(ContinuousBackupsDescription?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus).toBe('ENABLED');
    expect((await client.send(new DescribeTableCommand({ TableName }))).Table).toMatchObject({
      TableStatus: 'ACTIVE',
      TableArn: `arn:aws:dynamodb:us-east-1:000000000000:table/${TableName}`,
    });
    expect(await read('lasting')).toBeDefined();
    expect(await read('expired')).toBeUndefined();
    await expect(client.send(new DescribeTimeToLiveCommand({ TableName: 'None' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });

  it('fails calls as told', async () => {
    await services.current.faults.set({
      service: 'dynamodb',
      operation: 'PutItem',
      status: 400,
      code: 'ProvisionedThroughputExceededException',
      times: 1,
    });
    const write = () => documents.send(new PutCommand({ TableName, Item: key('fault') }));
    await expect(write()).rejects.toMatchObject({ name: 'ProvisionedThroughputExceededException' });
    await write();
  });

  it('deletes', async () => {
    await client.send(new DeleteTableCommand({ TableName }));
    await expect
      .poll(async () => (await client.send(new ListTablesCommand({}))).TableNames, { timeout: 5000 })
      .toEqual([]);
  });
});
