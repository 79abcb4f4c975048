import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalSystem, startSystem } from '../../local/system.ts';
import { type MiniApp, miniApp } from './support/mini-app.ts';

const api = `
import { DynamoDBClient, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { EncryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
const table = process.env.TABLE;
export const handler = async (event) => {
  const dynamodb = new DynamoDBClient({});
  if (event.httpMethod === 'POST') {
    const { CiphertextBlob } = await new KMSClient({}).send(new EncryptCommand({ KeyId: process.env.KEY, Plaintext: Buffer.from(event.body) }));
    await new S3Client({}).send(new PutObjectCommand({ Bucket: process.env.BUCKET, Key: 'a', Body: CiphertextBlob }));
    await dynamodb.send(new PutItemCommand({ TableName: table, Item: { pk: { S: 'all' }, sk: { S: event.body } } }));
    const { DurableExecutionArn } = await new LambdaClient({}).send(new InvokeCommand({ FunctionName: process.env.LONG, InvocationType: 'Event', Payload: '{}', DurableExecutionName: event.body }));
    return { statusCode: 202, body: JSON.stringify({ DurableExecutionArn }) };
  }
  const { Items } = await dynamodb.send(new QueryCommand({ TableName: table, IndexName: 'other', KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': { S: 'all' } } }));
  return { statusCode: 200, body: JSON.stringify(Items.map(({ sk }) => sk.S).sort()) };
};`;

const long = `
import { withDurableExecution } from '@aws/durable-execution-sdk-js';
export const handler = withDurableExecution(async (_event, context) => {
  await context.wait('a moment', { seconds: 1 });
  throw new Error('on purpose');
});`;

const ended = `
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
export const handler = async ({ detail }) => {
  await new DynamoDBClient({}).send(new PutItemCommand({ TableName: process.env.TABLE, Item: { pk: { S: 'all' }, sk: { S: detail.status + ' ' + detail.durableExecutionName } } }));
};`;

let mini: MiniApp;
let system: LocalSystem;

function deploy(): MiniApp {
  const made = miniApp();
  const state = new Stack(made.app, 'State');
  const string = dynamodb.AttributeType.STRING;
  const table = new dynamodb.Table(state, 'Table', {
    partitionKey: { name: 'pk', type: string },
    sortKey: { name: 'sk', type: string },
    timeToLiveAttribute: 'until',
  });
  table.addGlobalSecondaryIndex({ indexName: 'other', partitionKey: { name: 'pk', type: string } });
  const key = new kms.Key(state, 'Key', { alias: 'alias/mini', enableKeyRotation: true });
  const bucket = new s3.Bucket(state, 'Bucket', { encryptionKey: key });
  const stack = new Stack(made.app, 'Functions');
  const common = {
    runtime: lambda.Runtime.NODEJS_24_X,
    handler: 'index.handler',
    timeout: Duration.seconds(20),
    memorySize: 256,
  } as const;
  const durable = new lambda.Function(stack, 'Long', {
    ...common,
    code: made.code('long', long),
    durableConfig: { executionTimeout: Duration.hours(1), retentionPeriod: Duration.days(1) },
  });
  const environment = {
    TABLE: table.tableName,
    BUCKET: bucket.bucketName,
    KEY: key.keyArn,
    LONG: durable.currentVersion.functionArn,
  };
  const front = new lambda.Function(stack, 'Front', { ...common, code: made.code('api', api), environment });
  const after = new lambda.Function(stack, 'After', { ...common, code: made.code('ended', ended), environment });
  // What their roles do not allow is refused here as in AWS.
  for (const each of [durable, front, after]) {
    table.grantReadWriteData(each);
    bucket.grantReadWrite(each);
  }
  durable.grantInvoke(front);
  new events.Rule(stack, 'Rule', {
    eventPattern: { source: ['aws.lambda'], detail: { status: ['FAILED'] } },
    targets: [new targets.LambdaFunction(after)],
  });
  new apigateway.RestApi(stack, 'Api', { cloudWatchRole: false }).root
    .addResource('things')
    .addMethod('ANY', new apigateway.LambdaIntegration(front));
  made.app.synth();
  return made;
}

const start = () =>
  startSystem({
    stateFolder: mini.stateFolder,
    cdkOut: mini.cdkOut,
    databases: [{ id: 'none', host: '127.0.0.1', port: 1, name: 'none', user: 'none', password: 'none' }],
  });

async function call(method: 'GET' | 'POST', body?: string): Promise<unknown> {
  const response = await fetch(`${system.apiUrl}/things`, { method, ...(body === undefined ? {} : { body }) });
  expect([200, 202]).toContain(response.status);
  return response.json();
}

async function eventuallyListed(expected: string[]): Promise<void> {
  for (let round = 0; round < 150; round += 1) {
    if (JSON.stringify(await call('GET')) === JSON.stringify(expected)) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(await call('GET')).toEqual(expected);
}

/** Processes of function instances that this one started. */
function instances(): string[] {
  const read = (pid: string, name: string) => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, 'utf8');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter(
      (pid) =>
        read(pid, 'cmdline').includes('lambda/runtime.ts') &&
        read(pid, 'stat').split(') ')[1]?.split(' ')[1] === String(process.pid),
    );
}

beforeAll(async () => {
  mini = deploy();
  system = await start();
});

afterAll(async () => {
  await system.stop();
  mini.remove();
});

it('runs a whole synthesized app, follows failed executions, and keeps its state over a restart', async () => {
  expect(await call('GET')).toEqual([]);
  await call('POST', 'first');
  await eventuallyListed(['FAILED first', 'first']);
  await call('POST', 'second');
  expect(instances().length).toBeGreaterThan(0);
  await system.stop();
  expect(instances()).toEqual([]);

  system = await start();
  await eventuallyListed(['FAILED first', 'FAILED second', 'first', 'second']);
});

it('keeps a second one away from its state', async () => {
  await expect(start().then(({ stop }) => stop())).rejects.toThrow('already runs');
});

it('says which part of a start failed, and leaves nothing running', async () => {
  await expect(
    startSystem({ stateFolder: join(mini.folder, 'other'), cdkOut: join(mini.folder, 'nothing'), databases: [] }),
  ).rejects.toThrow('No synthesized app');
});
