import { CloudWatchClient, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import { expect, it } from 'vitest';
import { createFunctionLogs } from '../../local/events/function-logs.ts';
import { reportLine, reportOf } from '../../local/lambda/reports.ts';
import type { Resource } from '../../local/template/intrinsics.ts';
import { reportFilter, troublesOf } from '../../shared/alerts/function-reports.ts';
import { embeddedMetrics } from '../../shared/health/publish.ts';
import { readSubscription } from '../../shared/security/audit/database-log/read-subscription.ts';
import { clientOptions, useServices } from './aws/support.ts';

const services = useServices();
const resource = (type: string, name: string, properties: object) =>
  ({ type, name, properties }) as unknown as Resource;
const alarm = (name: string, MetricName: string, FunctionName?: string) =>
  resource('AWS::CloudWatch::Alarm', name, {
    AlarmName: name,
    Namespace: 'AWS/Lambda',
    MetricName,
    ...(FunctionName ? { Dimensions: [{ Name: 'FunctionName', Value: FunctionName }] } : {}),
    ...{ Statistic: 'Sum', Period: 300, EvaluationPeriods: 1, Threshold: 1 },
    ComparisonOperator: 'GreaterThanOrEqualToThreshold',
  });
const resources = [
  resource('AWS::Lambda::Function', 'dbms-backup', { LoggingConfig: { LogGroup: '/aws/lambda/dbms-backup' } }),
  resource('AWS::Logs::SubscriptionFilter', 'filter', {
    LogGroupName: '/aws/lambda/dbms-backup',
    FilterPattern: reportFilter({ timeoutMs: 10_000, isDurable: false }),
    DestinationArn: 'arn:receiver',
  }),
  // Of a server of PostgreSQL: it has no log group here, and a pattern of words.
  resource('AWS::Logs::SubscriptionFilter', 'other', {
    LogGroupName: '/aws/rds/instance/shop/postgresql',
    FilterPattern: '?AUDIT: ?FATAL',
    DestinationArn: 'arn:ingest',
  }),
  alarm('receiver/errors', 'Errors', 'dbms-receiver'),
  alarm('account/throttles', 'Throttles'),
];

async function open() {
  const endpoint = services.current.endpoints.cloudwatch;
  const submitted: [string, string][] = [];
  const submit = (arn: string, payload: string) => void submitted.push([arn, payload]);
  const notes: string[] = [];
  const logs = createFunctionLogs({ resources, endpoint, submit, note: (text) => notes.push(text) });
  const sum = async (Namespace: string, MetricName: string, Name?: string, Value?: string) => {
    const client = new CloudWatchClient(clientOptions(endpoint));
    const { Datapoints = [] } = await client.send(
      new GetMetricStatisticsCommand({
        ...{ Namespace, MetricName, Dimensions: Name === undefined ? [] : [{ Name, Value }] },
        ...{ StartTime: new Date(Date.now() - 3_600_000), EndTime: new Date(Date.now() + 3_600_000) },
        ...{ Period: 86_400, Statistics: ['Sum', 'SampleCount'] },
      }),
    );
    client.destroy();
    return Datapoints.map(({ Sum, SampleCount }) => [Sum, SampleCount]);
  };
  return { logs, submitted, notes, sum };
}

it('hands over the reports of invocations that failed or took long, as CloudWatch Logs does, and no others', async () => {
  const { logs, submitted } = await open();
  const thrown = { ok: false, error: { errorType: 'TypeError', errorMessage: 'x' } } as const;
  const cut = { ok: false, error: { errorType: 'Sandbox.Timedout', errorMessage: 'x' } } as const;
  const reports = [
    reportOf('fine', { ok: true, payload: 'null' }, 12),
    reportOf('thrown', thrown, 5),
    reportOf('cut-off', cut, 10_000),
    reportOf('long', { ok: true, payload: 'null' }, 9_001),
  ];
  logs.line('dbms-backup', 'START RequestId: fine');
  logs.line('dbms-backup', '{"level":"ERROR","message":"x"}');
  for (const report of reports) logs.line('dbms-backup', reportLine(report, 256));
  const troubles = await Promise.all(
    submitted.map(async ([arn, payload]) => [arn, troublesOf(await readSubscription(JSON.parse(payload)))]),
  );
  expect(troubles).toMatchObject([
    [
      'arn:receiver',
      [{ name: 'dbms-backup', trouble: 'errors', detail: 'failure, TypeError after 5 ms, request thrown' }],
    ],
    ['arn:receiver', [{ name: 'dbms-backup', trouble: 'errors', detail: 'timeout after 10000 ms, request cut-off' }]],
    ['arn:receiver', [{ name: 'dbms-backup', trouble: 'duration', detail: 'success after 9001 ms, request long' }]],
  ]);
  await logs.close();
});

it('takes metrics out of a line of the log', async () => {
  const { logs, sum, notes } = await open();
  const sample = { at: Date.now(), values: { samples_taken: 1, up: 1 } };
  logs.line('dbms-backup', JSON.stringify(embeddedMetrics('Tested', 'heartbeat', 'shop', sample)));
  await logs.close();
  expect(notes).toEqual([]);
  expect(await sum('Tested', 'SamplesTaken', 'Database', 'shop')).toEqual([[1, 1]]);
  expect(await sum('Tested', 'DatabaseUp', 'Database', 'shop')).toEqual([]);
});

it('counts what alarms watch: of their function, and of all functions together with each of them', async () => {
  const { logs, sum } = await open();
  logs.report('dbms-receiver', { requestId: 'r', status: 'failure', durationMs: 3 });
  logs.report('dbms-backup', { requestId: 'r', status: 'failure', durationMs: 3 });
  logs.throttled('dbms-backup');
  await logs.close();
  expect(await sum('AWS/Lambda', 'Errors', 'FunctionName', 'dbms-receiver')).toEqual([[1, 1]]);
  expect(await sum('AWS/Lambda', 'Errors', 'FunctionName', 'dbms-backup')).toEqual([]);
  expect(await sum('AWS/Lambda', 'Throttles')).toEqual([[1, 3]]);
  expect(await sum('AWS/Lambda', 'Throttles', 'FunctionName', 'dbms-backup')).toEqual([[1, 2]]);
});
