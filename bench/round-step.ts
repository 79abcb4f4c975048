import { setTimeout as sleep } from 'node:timers/promises';
import { watchRound } from '../shared/alerts/watch-round.ts';
import { cloudwatchClient, dynamodbClient, rdsClient, sesClient } from '../shared/aws/clients.ts';
import { runtimeConfigurationSchema } from '../shared/configuration/runtime.ts';
import { createWatcher } from '../shared/health/watch-database.ts';
import { openTable } from '../shared/state/table.ts';

/** Rounds of the sampler in a process of its own, so that its processor time is its own. */
export interface RoundStep {
  readonly server: { host: string; port: number; user: string; password: string; database: string };
  readonly rounds: number;
  readonly pauseMs: number;
  /** Rounds between two readings of what is read rarely. */
  readonly rarely: number;
}

/** Means of one round. */
export interface RoundStepResult {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly readUnits: number;
  readonly writeUnits: number;
  readonly logBytes: number;
  readonly residentMegabytes: number;
}

const step = JSON.parse(process.env.ROUND_STEP ?? '{}') as RoundStep;
const units = { read: 0, write: 0 };
const client = dynamodbClient();
client.middlewareStack.add(
  (next) => async (args) => {
    const answer = await next({
      ...args,
      input: { ...args.input, ReturnConsumedCapacity: 'TOTAL' } as typeof args.input,
    });
    const { ConsumedCapacity: used } = answer.output as { ConsumedCapacity?: unknown };
    const isRead = args.constructor !== undefined && 'Key' in args.input ? !('UpdateExpression' in args.input) : false;
    const isQuery = 'KeyConditionExpression' in args.input;
    for (const each of [used ?? []].flat() as { CapacityUnits?: number }[]) {
      units[isRead || isQuery ? 'read' : 'write'] += each.CapacityUnits ?? 0;
    }
    return answer;
  },
  { step: 'initialize' },
);
const table = openTable(client, 'State');
const login = { type: 'secret', secret_arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop' };
const configuration = runtimeConfigurationSchema.parse({
  databases: [{ id: 'shop', kind: 'self-managed', host: '127.0.0.1', name: 'shop', login, storage_gigabytes: 100 }],
  alert_emails: ['dba@example.com'],
});
const [database] = configuration.databases;
if (!database) throw new Error('There is no database');
const { host, port, user, password, database: name } = step.server;
const target = {
  ...{ host, port, database: name, applicationName: 'dbms sample' },
  credentials: async () => ({ user, password }),
  tls: { mode: 'disable' as const },
  limits: configuration.connections,
};
const details = { everyMs: step.rarely * step.pauseMs, budgetMs: 50 };
const cloudwatch = cloudwatchClient();
const watchers = new Map([
  ['shop', createWatcher({ table, cloudwatch, rds: rdsClient(), database, target, configuration, details })],
]);
let logBytes = 0;

async function round(): Promise<void> {
  await watchRound({
    ...{ table, watchers, configuration, cloudwatch, functions: [], ses: sesClient(), linkTo: () => null },
    namespace: 'Bench',
    published: 'heartbeat',
    publish: (metrics) => {
      logBytes += JSON.stringify(metrics).length + 1;
    },
    signal: AbortSignal.timeout(60_000),
    failed: (what, error) => console.error(what, error),
  });
}

// Warm, as nearly all rounds are.
for (let count = 0; count < step.rarely; count++) await round();
units.read = 0;
units.write = 0;
logBytes = 0;
let wallMs = 0;
let cpuMs = 0;
for (let count = 0; count < step.rounds; count++) {
  const began = performance.now();
  const before = process.cpuUsage();
  await round();
  const { user: inUser, system } = process.cpuUsage(before);
  cpuMs += (inUser + system) / 1000;
  wallMs += performance.now() - began;
  await sleep(step.pauseMs);
}
const mean = (total: number): number => Math.round((total / step.rounds) * 100) / 100;
const result: RoundStepResult = {
  wallMs: mean(wallMs),
  cpuMs: mean(cpuMs),
  readUnits: mean(units.read),
  writeUnits: mean(units.write),
  logBytes: mean(logBytes),
  residentMegabytes: Math.round(process.memoryUsage.rss() / 1_048_576),
};
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
