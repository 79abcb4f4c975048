import { join } from 'node:path';
import * as z from 'zod';
import type { Access } from '../../iam/access.ts';
import type { StateDisk } from '../../state-disk.ts';
import { AwsError } from '../errors.ts';
import { type JsonService, type Operation, operation } from '../json-service.ts';
import { openStateFile } from '../state-file.ts';
import { type Engine, type EngineOperation, openEngine } from './engine.ts';
import { createGate } from './gate.ts';
import { dynamoDbRequests } from './requests.ts';
import { keyOf, openTransactions, transactGet } from './transactions.ts';

/** By table name: what dynalite does not keep. */
type TableSettings = { timeToLive?: string; pointInTimeRecovery?: boolean };
type State = { tables: Record<string, TableSettings> };

export type LocalDynamoDb = { service: JsonService; close(): Promise<void> };

const table = z.object({ TableName: z.string() });
const sweepEveryMs = 3_600_000;

/** DynamoDB: dynalite on disk, with transactions and time to live added. */
export async function openDynamoDb(stateFolder: string, disk: StateDisk, access: Access): Promise<LocalDynamoDb> {
  const engine = await openEngine(join(stateFolder, 'dynamodb'), disk);
  const file = await openStateFile<State>(join(stateFolder, 'dynamodb.json'), { tables: {} }, disk);
  const { tables } = file.value;
  const gate = createGate();
  const transactWrite = await openTransactions(engine, join(stateFolder, 'dynamodb-transaction.json'), disk);

  const settings = (name: string): TableSettings => {
    tables[name] ??= {};
    return tables[name];
  };
  /** @throws AwsError `ResourceNotFoundException` */
  const mustExist = (TableName: string) => engine.call('DescribeTable', { TableName });

  const passed: Record<string, Operation> = Object.fromEntries(
    engine.operations.map((name) => [name, (input) => gate.shared(() => callEngine(engine, name, input as object))]),
  );

  const sweep = () => sweepExpired(engine, tables).catch(() => undefined);
  const timer = setInterval(sweep, sweepEveryMs);
  timer.unref();
  await sweep();

  const operations: JsonService['operations'] = {
    ...passed,
    DeleteTable: operation(table, async ({ TableName }) => {
      const answer = await gate.shared(() => engine.call('DeleteTable', { TableName }));
      delete tables[TableName];
      await file.save();
      return answer;
    }),
    TransactWriteItems: (input) => gate.exclusive(() => transactWrite(input)),
    TransactGetItems: (input) => gate.exclusive(() => transactGet(engine, input)),
    UpdateTimeToLive: operation(
      table.extend({ TimeToLiveSpecification: z.object({ Enabled: z.boolean(), AttributeName: z.string() }) }),
      async ({ TableName, TimeToLiveSpecification }) => {
        await mustExist(TableName);
        if (TimeToLiveSpecification.Enabled) settings(TableName).timeToLive = TimeToLiveSpecification.AttributeName;
        else delete settings(TableName).timeToLive;
        await file.save();
        return { TimeToLiveSpecification };
      },
    ),
    DescribeTimeToLive: operation(table, async ({ TableName }) => {
      await mustExist(TableName);
      const attribute = tables[TableName]?.timeToLive;
      return {
        TimeToLiveDescription: attribute
          ? { TimeToLiveStatus: 'ENABLED', AttributeName: attribute }
          : { TimeToLiveStatus: 'DISABLED' },
      };
    }),
    UpdateContinuousBackups: operation(
      table.extend({ PointInTimeRecoverySpecification: z.object({ PointInTimeRecoveryEnabled: z.boolean() }) }),
      async ({ TableName, PointInTimeRecoverySpecification }) => {
        await mustExist(TableName);
        settings(TableName).pointInTimeRecovery = PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled;
        await file.save();
        return describeBackups(tables[TableName]);
      },
    ),
    DescribeContinuousBackups: operation(table, async ({ TableName }) => {
      await mustExist(TableName);
      return describeBackups(tables[TableName]);
    }),
  };

  return {
    service: {
      name: 'dynamodb',
      version: '1.0',
      operations,
      requests: (called, input) => dynamoDbRequests(called, input, access.permissions().tables),
    },
    close: async () => {
      clearInterval(timer);
      await engine.close();
      await file.close();
    },
  };
}

function describeBackups(settings: TableSettings | undefined): object {
  const status = settings?.pointInTimeRecovery ? 'ENABLED' : 'DISABLED';
  return {
    ContinuousBackupsDescription: {
      ContinuousBackupsStatus: 'ENABLED',
      PointInTimeRecoveryDescription: { PointInTimeRecoveryStatus: status },
    },
  };
}

const conditionedWrite = z.looseObject({
  TableName: z.string(),
  Key: z.record(z.string(), z.unknown()).optional(),
  Item: z.record(z.string(), z.unknown()).optional(),
  ReturnValuesOnConditionCheckFailure: z.literal('ALL_OLD'),
});

/** Calls the engine, adding the existing item to a refused conditional write where the caller asked for it. */
async function callEngine(engine: Engine, name: EngineOperation, input: object): Promise<object> {
  try {
    return await engine.call(name, input);
  } catch (error) {
    const asked = conditionedWrite.safeParse(input);
    if (!(error instanceof AwsError) || error.code !== 'ConditionalCheckFailedException' || !asked.success) throw error;
    const { TableName, Key, Item = {} } = asked.data;
    const found = await engine.call('GetItem', {
      TableName,
      Key: Key ?? (await keyOf(engine, TableName, Item)),
      ConsistentRead: true,
    });
    throw new AwsError(error.code, error.message, error.status, found.Item ? { Item: found.Item } : {});
  }
}

const scanned = z.object({ Items: z.array(z.record(z.string(), z.unknown())) });

/** Deletes the items whose time to live has passed. */
async function sweepExpired(engine: Engine, tables: Readonly<Record<string, TableSettings>>): Promise<void> {
  for (const [TableName, { timeToLive }] of Object.entries(tables)) {
    if (!timeToLive) continue;
    const { Items } = scanned.parse(
      await engine.call('Scan', {
        TableName,
        FilterExpression: '#ttl <= :now',
        ExpressionAttributeNames: { '#ttl': timeToLive },
        ExpressionAttributeValues: { ':now': { N: String(Math.floor(Date.now() / 1000)) } },
      }),
    );
    for (const item of Items) await engine.call('DeleteItem', { TableName, Key: await keyOf(engine, TableName, item) });
  }
}
