import type { Deployment } from '../config/schema.ts';
import { type Facts, timesOfUnixCron } from './facts.ts';
import type { Prices } from './prices.ts';
import { AT_A_TIME, assumptions, MINUTES_OF_MONTH, type Usage, type Work } from './usage.ts';

/** Lambda gives a function a whole core from this much memory on. */
const MEGABYTES_OF_CORE = 1769;
const BYTES_OF_GIGABYTE = 1024 ** 3;
const MILLION = 1_000_000;
/** SQS requests of a message: sent, received, deleted. */
const REQUESTS_OF_MESSAGE = 3;
/** Lambda asks a queue over five connections, each of which waits up to 20 seconds for a message. */
const POLLS_OF_MONTH = 5 * 3 * MINUTES_OF_MONTH;

/** USD a month, by what it is for. */
export type Estimate = Readonly<Record<Line, number>>;

export const lines = {
  keys: 'KMS: the keys of the backups, the audit trail, masking, and tables and logs',
  secrets: "Secrets Manager: the databases' logins",
  alarms: 'CloudWatch alarms',
  metrics: 'CloudWatch metrics of its own',
  dashboards: 'CloudWatch dashboards',
  metricRequests: 'CloudWatch requests: metrics of RDS read, metrics sent',
  sampler: 'Lambda: the sampler',
  functions: 'Lambda: all else',
  queues: 'SQS: samples within a minute',
  state: 'DynamoDB: the sampler',
  otherState: 'DynamoDB: all else',
  logs: 'CloudWatch Logs',
  traces: 'X-Ray',
  api: 'API Gateway and Cognito',
  kmsRequests: 'KMS requests',
  seals: 'Audit trail: seals, and looking whether one is due',
  backups: 'Backups: functions and requests',
  mails: 'SES',
} as const;
export type Line = keyof typeof lines;

export interface EstimateInput {
  readonly facts: Facts;
  readonly deployment: Pick<Deployment, 'databases' | 'schedules'>;
  readonly prices: Prices;
  readonly usage: Usage;
}

/** What a deployment costs in a month, without what it stores and without the network. */
export function estimate({ facts, deployment, prices, usage }: EstimateInput): Estimate {
  const databases = deployment.databases.length;
  const { apiRequests } = assumptions;
  const sampler = facts.functions.find(({ name }) => name === 'sample-health');
  if (!sampler) throw new Error('There is no sampler in the templates');
  const rounds = sampler.scheduled + sampler.queued;
  // A former version took two samples in one invocation.
  const samples = usage.asleepSeconds > 0 ? rounds * 2 : rounds;

  const gigabyteSeconds = (memory: number, { waitMs, cpuMs }: Work) =>
    ((waitMs + cpuMs * Math.max(1, MEGABYTES_OF_CORE / memory)) / 1000) * (memory / 1024);
  const invoked = (memory: number, times: number, work: Work) =>
    times * gigabyteSeconds(memory, work) * prices.lambda_gb_second + (times / MILLION) * prices.lambda_request;
  const workOf = (name: string): Work => {
    const { each, perDatabase } = usage.invocations[name] ?? usage.otherwise;
    const inTurn = name === 'sample-health' ? Math.ceil(databases / AT_A_TIME) : databases;
    return {
      waitMs: each.waitMs + perDatabase.waitMs * inTurn,
      cpuMs: each.cpuMs + perDatabase.cpuMs * databases,
    };
  };
  const samplerWork = workOf('sample-health');
  const asleep = usage.asleepSeconds * 1000;
  const others = facts.functions.filter(({ name }) => name !== 'sample-health');
  const scheduled = others.reduce(
    (sum, { name, memoryMegabytes, scheduled: times }) => sum + invoked(memoryMegabytes, times, workOf(name)),
    0,
  );
  const { apiMemoryMegabytes, apiWork, authorizerWork } = assumptions;
  const requests =
    invoked(apiMemoryMegabytes, apiRequests, apiWork) + invoked(apiMemoryMegabytes, apiRequests / 2, authorizerWork);

  const invocations = facts.functions.reduce((sum, { scheduled: times, queued }) => sum + times + queued, 0);
  const logBytes =
    (invocations + 1.5 * apiRequests) * assumptions.logBytesOfInvocation +
    apiRequests * assumptions.logBytesOfRequest +
    samples * databases * usage.round.logBytes;
  const traced = facts.functions.filter(({ isTraced }) => isTraced);
  const traces = traced.reduce((sum, { scheduled: times, queued }) => sum + times + queued, 0) + apiRequests;

  const perDatabase = sampler.publishesAll ? usage.metrics.all : usage.metrics.heartbeat;
  const { routes, each, shareOfHours } = assumptions.apiMetrics;
  const methodMetrics = facts.hasMethodMetrics ? routes * each * shareOfHours : 0;
  const metrics = databases * perDatabase + usage.metrics.whole + methodMetrics + facts.drillAlarms;

  const full = databases * timesOfUnixCron(deployment.schedules.full);
  const other =
    databases *
    [deployment.schedules.incremental, deployment.schedules.schema, deployment.schedules.data]
      .map(timesOfUnixCron)
      .reduce((sum, times) => sum + times, 0);
  const backup = facts.functions.find(({ name }) => name === 'backup');
  const memory = backup?.memoryMegabytes ?? 0;
  const { fullBackup, otherBackup, durableOperations, objectsOfFullBackup, objectsOfOtherBackup } = assumptions;
  const objects = full * objectsOfFullBackup + other * objectsOfOtherBackup;
  const looks = (others.find(({ name }) => name === 'seal-audit')?.scheduled ?? 0) * (databases + 1);
  const seals = databases * assumptions.sealsPerDatabase + assumptions.sealsOfSystem;
  const captureReads = others.find(({ name }) => name === 'capture-changes')?.scheduled ?? 0;

  return {
    keys: facts.kmsKeys * prices.kms_key,
    secrets: databases * prices.secret + ((databases * assumptions.secretReads) / 10_000) * prices.secret_request,
    alarms: facts.alarmMetrics * prices.alarm_metric + facts.compositeAlarms * prices.composite_alarm,
    metrics: metrics * prices.custom_metric,
    dashboards: facts.dashboards * prices.dashboard,
    metricRequests:
      ((databases * assumptions.rdsMetricsRead) / 1000) * prices.get_metric +
      ((sampler.scheduled * usage.putMetricRequests + 2920) / 1000) * prices.put_metric,
    sampler: invoked(sampler.memoryMegabytes, rounds, { ...samplerWork, waitMs: samplerWork.waitMs + asleep }),
    functions: scheduled + requests,
    queues:
      ((facts.polledQueues * POLLS_OF_MONTH + REQUESTS_OF_MESSAGE * sampler.queued) / MILLION) * prices.sqs_request,
    state:
      ((samples * databases * usage.round.writes) / MILLION) * prices.dynamodb_write +
      ((samples * (databases * usage.round.reads + usage.round.roundReads)) / MILLION) * prices.dynamodb_read,
    otherState:
      ((captureReads * databases + apiRequests * assumptions.apiReads) / MILLION) * prices.dynamodb_read +
      ((apiRequests * assumptions.apiWrites) / MILLION) * prices.dynamodb_write,
    logs: (logBytes / BYTES_OF_GIGABYTE) * (prices.log_ingestion + 3 * prices.log_storage),
    traces: (traces / MILLION) * prices.trace,
    api: (apiRequests / MILLION) * prices.api_request + facts.userPools * assumptions.users * prices.cognito_user,
    kmsRequests:
      ((assumptions.kmsRequests + databases * assumptions.kmsRequestsPerDatabase) / 10_000) * prices.kms_request,
    seals:
      ((looks * assumptions.readsOfHeads) / MILLION) * prices.dynamodb_read +
      ((seals * assumptions.kmsRequestsOfSeal) / 10_000) * prices.kms_request +
      ((seals * assumptions.objectsOfSeal) / 1000) * prices.s3_put,
    backups:
      invoked(memory, full, fullBackup) +
      invoked(memory, other, otherBackup) +
      (((full + other) * durableOperations) / MILLION) * prices.durable_operation +
      (objects / 1000) * prices.s3_put +
      ((full + other + facts.schedulerInvocations) / MILLION) * prices.scheduler_invocation,
    mails: ((databases * assumptions.mails) / 1000) * prices.mail,
  };
}

export const total = (of: Estimate): number => Object.values(of).reduce((sum, each) => sum + each, 0);

/** What the backups of so many databases of the assumed size cost to keep. */
export function storage(databases: number, prices: Prices): number {
  const { databaseGigabytes, storedShare, backupsKept } = assumptions;
  return databases * databaseGigabytes * storedShare * backupsKept * prices.s3_storage;
}

/** What point-in-time recovery costs for one database, where changes come in every minute. */
export function recovery(prices: Prices): number {
  const { capture, captureMegabytes, segmentsOfMinute, captureWrites } = assumptions.recovery;
  const { waitMs, cpuMs } = capture;
  const seconds = (waitMs + cpuMs * Math.max(1, MEGABYTES_OF_CORE / captureMegabytes)) / 1000;
  return (
    MINUTES_OF_MONTH * seconds * (captureMegabytes / 1024) * prices.lambda_gb_second +
    ((MINUTES_OF_MONTH * segmentsOfMinute) / 1000) * prices.s3_put +
    ((MINUTES_OF_MONTH * captureWrites) / MILLION) * prices.dynamodb_write
  );
}
