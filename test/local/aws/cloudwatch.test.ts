import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  GetMetricStatisticsCommand,
  ListMetricsCommand,
  PutMetricAlarmCommand,
  PutMetricDataCommand,
  SetAlarmStateCommand,
} from '@aws-sdk/client-cloudwatch';
import { beforeAll, expect, it } from 'vitest';
import { clientOptions, useServices } from './support.ts';

const services = useServices();
let client: CloudWatchClient;
const Namespace = 'Databases';
const Dimensions = [{ Name: 'Database', Value: 'shop' }];
const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, seconds));
const StartTime = at(0);
const EndTime = at(600);

beforeAll(async () => {
  client = new CloudWatchClient(clientOptions(services.current.endpoints.cloudwatch));
  const values = [10, 20, 30, 40].map((Value, index) => ({
    MetricName: 'Connections',
    Dimensions,
    Unit: 'Count' as const,
    Value,
    Timestamp: at(index * 30),
  }));
  await client.send(new PutMetricDataCommand({ Namespace, MetricData: values }));
});

const metric = { Namespace, MetricName: 'Connections', Dimensions };

it('adds values up by period', async () => {
  const { MetricDataResults } = await client.send(
    new GetMetricDataCommand({
      StartTime,
      EndTime,
      ScanBy: 'TimestampAscending',
      MetricDataQueries: ['Average', 'Sum', 'Maximum', 'SampleCount', 'p50'].map((Stat) => ({
        Id: Stat.toLowerCase(),
        MetricStat: { Metric: metric, Period: 60, Stat },
      })),
    }),
  );
  expect(Object.fromEntries((MetricDataResults ?? []).map(({ Id, Values }) => [Id, Values]))).toEqual({
    average: [15, 35],
    sum: [30, 70],
    maximum: [20, 40],
    samplecount: [2, 2],
    p50: [10, 30],
  });
  expect(MetricDataResults?.[0]?.Timestamps).toEqual([at(0), at(60)]);
});

it('takes statistic sets, and many values in a compressed request', async () => {
  const set = { SampleCount: 4, Sum: 100, Minimum: 1, Maximum: 90 };
  await client.send(
    new PutMetricDataCommand({
      Namespace,
      MetricData: [{ MetricName: 'Set', StatisticValues: set, Timestamp: at(0) }],
    }),
  );
  const many = Array.from({ length: 500 }, (_, index) => ({
    MetricName: 'Many',
    Dimensions,
    Value: index,
    Timestamp: at(0),
  }));
  await client.send(new PutMetricDataCommand({ Namespace, MetricData: many }));
  const one = {
    Namespace,
    StartTime,
    EndTime,
    Period: 600,
    Statistics: ['Average' as const, 'Minimum' as const, 'Sum' as const],
  };
  const answer = await client.send(new GetMetricStatisticsCommand({ ...one, MetricName: 'Set' }));
  expect(answer.Datapoints).toMatchObject([{ Average: 25, Minimum: 1, Timestamp: at(0) }]);
  const sum = await client.send(new GetMetricStatisticsCommand({ ...one, MetricName: 'Many', Dimensions }));
  expect(sum.Datapoints).toMatchObject([{ Sum: (499 * 500) / 2 }]);
});

it('lists metrics by dimension', async () => {
  const { Metrics } = await client.send(new ListMetricsCommand({ Namespace, Dimensions: [{ Name: 'Database' }] }));
  expect(Metrics?.map(({ MetricName }) => MetricName)).toEqual(['Connections', 'Many']);
});

it('keeps alarms and their state, also over a restart', async () => {
  const alarm = {
    AlarmName: 'shop-connections',
    MetricName: 'Connections',
    Namespace,
    Threshold: 80,
    ComparisonOperator: 'GreaterThanThreshold' as const,
    EvaluationPeriods: 1,
    Period: 60,
  };
  await client.send(new PutMetricAlarmCommand(alarm));
  await client.send(
    new SetAlarmStateCommand({ AlarmName: alarm.AlarmName, StateValue: 'ALARM', StateReason: 'a test' }),
  );
  await client.send(new PutMetricAlarmCommand({ ...alarm, Threshold: 90 }));
  client = new CloudWatchClient(clientOptions((await services.restart()).endpoints.cloudwatch));
  const { MetricAlarms } = await client.send(new DescribeAlarmsCommand({ AlarmNamePrefix: 'shop-' }));
  expect(MetricAlarms).toMatchObject([{ AlarmName: 'shop-connections', StateValue: 'ALARM', Threshold: 90 }]);
  expect(MetricAlarms?.[0]?.StateUpdatedTimestamp).toBeInstanceOf(Date);
  const none = client.send(new SetAlarmStateCommand({ AlarmName: 'none', StateValue: 'OK', StateReason: 'a test' }));
  await expect(none).rejects.toMatchObject({ name: expect.stringMatching(/^ResourceNotFound/) });
  expect((await client.send(new ListMetricsCommand({}))).Metrics).toHaveLength(3);
});

it('fails calls as told', async () => {
  await services.current.faults.set({ service: 'cloudwatch', status: 400, code: 'ThrottlingException', times: 1 });
  await expect(client.send(new ListMetricsCommand({}))).rejects.toMatchObject({ name: 'ThrottlingException' });
});
