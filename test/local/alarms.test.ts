import { CloudWatchClient, DescribeAlarmsCommand, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { afterEach, describe, expect, it } from 'vitest';
import { type Alarm, readAlarms, runAlarms, stateOf } from '../../local/alarms.ts';
import type { BusEvent } from '../../local/events/bus.ts';
import type { Resource } from '../../local/template/intrinsics.ts';
import { clientOptions, useServices } from './aws/support.ts';

const services = useServices();
let end: (() => Promise<void>) | null = null;
afterEach(async () => {
  await end?.();
  end = null;
});

const heartbeat = {
  AlarmName: 'dbms/database/shop/no_samples',
  Namespace: 'DatabaseManagement',
  MetricName: 'SamplesTaken',
  Dimensions: [{ Name: 'Database', Value: 'shop' }],
  Statistic: 'Sum',
  Period: 1,
  EvaluationPeriods: 2,
  Threshold: 1,
  ComparisonOperator: 'LessThanThreshold',
  TreatMissingData: 'breaching',
};

describe('the state of an alarm', () => {
  const state = (TreatMissingData: Alarm['TreatMissingData'], ...values: (number | undefined)[]) =>
    stateOf({ ComparisonOperator: 'GreaterThanOrEqualToThreshold', Threshold: 5, TreatMissingData }, values);

  it('is ALARM when every period is beyond the threshold', () => {
    expect(state('notBreaching', 5, 6)).toBe('ALARM');
    expect(state('notBreaching', 5, 4)).toBe('OK');
  });

  it('takes missing periods as it is told', () => {
    expect(state('breaching', undefined, 6)).toBe('ALARM');
    expect(state('notBreaching', undefined, 6)).toBe('OK');
    expect(state('missing', undefined, 6)).toBe('ALARM');
    expect(state('missing', undefined, undefined)).toBe('INSUFFICIENT_DATA');
    expect(state('breaching', undefined, undefined)).toBe('ALARM');
    expect(state('ignore', undefined, undefined)).toBeNull();
  });
});

it('does not run locally where it is of another kind, and says so', () => {
  const resource = (type: string, properties: object) => [
    { type, name: 'sums', arn: 'a', properties } as unknown as Resource,
  ];
  const sums = { Metrics: [{ Id: 'all', Expression: 'a + b' }], EvaluationPeriods: 1, Threshold: 1 };
  expect(() => readAlarms(resource('AWS::CloudWatch::Alarm', sums))).toThrow('The alarm sums does not run locally');
  expect(() => readAlarms(resource('AWS::CloudWatch::CompositeAlarm', {}))).toThrow('The alarm sums is made of others');
});

it('rings when the samples stop, and is over when they come again', async () => {
  const endpoint = services.current.endpoints.cloudwatch;
  const client = new CloudWatchClient(clientOptions(endpoint));
  const publish = async (): Promise<void> => {
    const { Namespace, MetricName, Dimensions } = heartbeat;
    const MetricData = [{ MetricName, Dimensions, Value: 1, StorageResolution: 1 }];
    await client.send(new PutMetricDataCommand({ Namespace, MetricData }));
  };
  const seen: unknown[] = [];
  const until = async (count: number): Promise<void> => {
    while (seen.length < count) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  const publishing = setInterval(() => void publish(), 200);
  await publish();
  const resource = { type: 'AWS::CloudWatch::Alarm', name: 'x', arn: 'arn:alarm', properties: heartbeat };
  const bus = { put: ({ detail }: BusEvent) => void seen.push((detail.state as { value: string }).value) };
  const note = (text: string) => void seen.push(text);
  end = await runAlarms({ resources: [resource as unknown as Resource], endpoint, bus, note, everyMilliseconds: 50 });
  await until(1);
  clearInterval(publishing);
  await until(2);
  const again = setInterval(() => void publish(), 200);
  await until(3);
  clearInterval(again);
  expect(seen.slice(0, 3)).toEqual(['OK', 'ALARM', 'OK']);
  const { MetricAlarms } = await client.send(new DescribeAlarmsCommand({ AlarmNames: [heartbeat.AlarmName] }));
  expect(MetricAlarms).toMatchObject([{ AlarmName: heartbeat.AlarmName, StateReason: expect.stringContaining('Sum') }]);
  client.destroy();
});
