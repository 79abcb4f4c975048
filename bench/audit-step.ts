import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { dynamodbClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { basePath } from '../shared/contract/define-route.ts';
import type { AuditEntry } from '../shared/contract/schemas/audit.ts';
import type { ApiEvent, ApiResult } from '../shared/http/event.ts';
import { openChain } from '../shared/security/audit/chain.ts';
import { openTable } from '../shared/state/table.ts';

/** Measures in a process of its own, as the local services compute in another. */
export interface AuditStep {
  readers: number;
  /** Of each reader. */
  reads: number;
  writers: number;
  /** Milliseconds that each answer of DynamoDB takes longer, so that readers wait for it and not for this machine. */
  latency: number;
}

export interface Measured {
  reads: number;
  p50: number;
  p95: number;
  most: number;
  /** Requests to append to the trail, of one read. */
  transactions: number;
}

export interface AuditStepResult {
  one: Measured;
  many: Measured;
  writers: { milliseconds: number };
}

const step = JSON.parse(process.env.AUDIT_STEP ?? '') as AuditStep;
const { auditTable: name } = readEnvironment(['auditTable']);

let transactions = 0;
dynamodbClient().middlewareStack.add(
  (next, { commandName }) =>
    async (args) => {
      if (commandName === 'TransactWriteItemsCommand' || commandName === 'TransactWriteCommand') transactions += 1;
      const result = await next(args);
      await sleep(step.latency);
      return result;
    },
  { step: 'initialize', name: 'latency' },
);

type Handler = (event: ApiEvent, context: never) => Promise<ApiResult>;

/** Each reader has an instance of the function for itself, as Lambda gives each call that is served at the same time. */
const instance = async (reader: number): Promise<Handler> =>
  (await import(`../functions/backups-api.ts?reader=${reader}`)).handler as Handler;

const event = {
  resource: `${basePath}/backups`,
  path: `${basePath}/backups`,
  httpMethod: 'GET',
  headers: {},
  pathParameters: null,
  queryStringParameters: null,
  multiValueQueryStringParameters: null,
  body: null,
  isBase64Encoded: false,
  requestContext: {
    requestId: 'bench',
    path: `/v1${basePath}/backups`,
    authorizer: { sub: 'bench', roles: 'viewer' },
    identity: { sourceIp: '10.1.2.3' },
  },
} as unknown as ApiEvent;

async function read(handler: Handler): Promise<number> {
  const began = performance.now();
  const { statusCode, body } = await handler(structuredClone(event), {
    getRemainingTimeInMillis: () => 30_000,
  } as never);
  if (statusCode !== 200) throw new Error(`GET backups answered ${statusCode}: ${body}`);
  return performance.now() - began;
}

/** All read all the time. */
async function measure(handlers: readonly Handler[]): Promise<Measured> {
  // What an instance does once, when it starts, is not measured.
  await Promise.all(handlers.map(read));
  const before = transactions;
  const times = await Promise.all(
    handlers.map(async (handler) => {
      const own: number[] = [];
      while (own.length < step.reads) own.push(await read(handler));
      return own;
    }),
  );
  const sorted = times.flat().sort((one, other) => one - other);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return {
    reads: sorted.length,
    p50: at(0.5),
    p95: at(0.95),
    most: at(1),
    transactions: (transactions - before) / sorted.length,
  };
}

const entry: AuditEntry = {
  source: 'api',
  actor: 'bench',
  operation: 'createBackup',
  database: 'shop',
  target: null,
  address: null,
  request_id: null,
  outcome: 'started',
  started_by: null,
  duration_ms: null,
  error: null,
  request: null,
  before: null,
  after: null,
};

/** As the test of 200 writers does: each knows nothing of the others. */
async function measureWriters(): Promise<{ milliseconds: number }> {
  // Without the time-outs of the functions: here it is this machine that 200 connections wait for.
  const table = openTable(new DynamoDBClient({ maxAttempts: 4 }), name);
  const chains = Array.from({ length: step.writers }, () => openChain(table, 'databases/shop', undefined, 200_000));
  const began = performance.now();
  await Promise.all(chains.map((chain) => chain.append(entry, 90)));
  return { milliseconds: Math.round(performance.now() - began) };
}

const one = await measure([await instance(0)]);
const many = await measure(await Promise.all(Array.from({ length: step.readers }, (_, index) => instance(index + 1))));
const writers = await measureWriters();
process.stdout.write(JSON.stringify({ one, many, writers } satisfies AuditStepResult));
process.exit(0);
