import { join } from 'node:path';
import * as z from 'zod';
import type { AccessRequest } from '../iam/evaluate.ts';
import type { StateDisk } from '../state-disk.ts';
import { localArn } from './account.ts';
import { AwsError } from './errors.ts';
import { type JsonService, operation } from './json-service.ts';
import { addSample, gather, type Point, type Series, statistic } from './metric-series.ts';
import { openStateFile } from './state-file.ts';

type Alarm = Record<string, unknown> & { AlarmName: string; StateValue: string };
type State = { series: Record<string, Series>; alarms: Record<string, Alarm> };

export type LocalCloudWatch = { service: JsonService; close(): Promise<void> };

const dimensions = z.array(z.object({ Name: z.string(), Value: z.string() })).default([]);
const datum = z.object({
  MetricName: z.string().min(1),
  Dimensions: dimensions,
  Timestamp: z.number().optional(),
  Value: z.number().optional(),
  Values: z.array(z.number()).optional(),
  Counts: z.array(z.number()).optional(),
  StatisticValues: z
    .object({ SampleCount: z.number(), Sum: z.number(), Minimum: z.number(), Maximum: z.number() })
    .optional(),
  Unit: z.string().default('None'),
  StorageResolution: z.int().default(60),
});
const metric = z.object({ Namespace: z.string(), MetricName: z.string(), Dimensions: dimensions });
const query = z.object({
  Id: z.string(),
  MetricStat: z.object({ Metric: metric, Period: z.int().min(1), Stat: z.string() }).optional(),
  Label: z.string().optional(),
  ReturnData: z.boolean().default(true),
});
const span = z.object({ StartTime: z.number(), EndTime: z.number() });

function seriesKey({ Namespace, MetricName, Dimensions }: z.output<typeof metric>): string {
  return JSON.stringify([Namespace, MetricName, Dimensions.map(({ Name, Value }) => [Name, Value]).sort()]);
}

function pointOf(sample: z.output<typeof datum>): Point {
  const resolution = sample.StorageResolution * 1000;
  const at = Math.floor(((sample.Timestamp ?? Date.now() / 1000) * 1000) / resolution) * resolution;
  if (sample.StatisticValues) {
    const { SampleCount: count, Sum: sum, Minimum: min, Maximum: max } = sample.StatisticValues;
    return { at, count, sum, min, max, values: [] };
  }
  const numbers = sample.Values ?? (sample.Value === undefined ? [] : [sample.Value]);
  if (numbers.length === 0) throw new AwsError('InvalidParameterValue', `The metric ${sample.MetricName} has no value`);
  const values = numbers.map((value, index): [number, number] => [value, sample.Counts?.[index] ?? 1]);
  return {
    at,
    count: values.reduce((total, [, times]) => total + times, 0),
    sum: values.reduce((total, [value, times]) => total + value * times, 0),
    min: Math.min(...numbers),
    max: Math.max(...numbers),
    values,
  };
}

/** Amazon CloudWatch metrics and alarms, bounded to a week of minutes per metric. Alarms are kept here and evaluated in local/alarms.ts. */
export async function openCloudWatch(stateFolder: string, disk: StateDisk): Promise<LocalCloudWatch> {
  const file = await openStateFile<State>(join(stateFolder, 'cloudwatch.json'), { series: {}, alarms: {} }, disk);
  const { series, alarms } = file.value;

  const pointsOf = (
    wanted: z.output<typeof metric>,
    { StartTime, EndTime }: z.output<typeof span>,
    period: number,
  ): Point[] => {
    const found = series[seriesKey(wanted)];
    return found ? gather(found, StartTime * 1000, EndTime * 1000, period) : [];
  };

  const operations: JsonService['operations'] = {
    PutMetricData: operation(
      z.object({ Namespace: z.string().min(1), MetricData: z.array(datum).default([]) }),
      ({ Namespace, MetricData }) => {
        for (const sample of MetricData) {
          const key = seriesKey({ Namespace, ...sample });
          series[key] ??= {
            namespace: Namespace,
            name: sample.MetricName,
            dimensions: sample.Dimensions,
            unit: sample.Unit,
            points: [],
          };
          addSample(series[key], pointOf(sample));
        }
        file.saveSoon();
        return undefined;
      },
    ),
    GetMetricData: operation(
      span.extend({
        MetricDataQueries: z.array(query).min(1).max(500),
        ScanBy: z.string().default('TimestampDescending'),
      }),
      (input) => ({
        MetricDataResults: input.MetricDataQueries.filter(({ ReturnData }) => ReturnData).map(
          ({ Id, Label, MetricStat }) => {
            if (!MetricStat)
              throw new AwsError('ValidationError', `The local CloudWatch evaluates no expressions (query ${Id})`);
            const points = pointsOf(MetricStat.Metric, input, MetricStat.Period);
            if (input.ScanBy === 'TimestampDescending') points.reverse();
            const values = points.flatMap((point) => {
              const value = statistic(point, MetricStat.Stat);
              return value === undefined ? [] : [{ at: point.at / 1000, value }];
            });
            return {
              Id,
              Label: Label ?? MetricStat.Metric.MetricName,
              Timestamps: values.map(({ at }) => at),
              Values: values.map(({ value }) => value),
              StatusCode: 'Complete',
            };
          },
        ),
      }),
    ),
    GetMetricStatistics: operation(
      metric.extend(span.shape).extend({
        Period: z.int().min(1),
        Statistics: z.array(z.string()).default([]),
        ExtendedStatistics: z.array(z.string()).default([]),
      }),
      (input) => ({
        Label: input.MetricName,
        Datapoints: pointsOf(input, input, input.Period).map((point) => ({
          Timestamp: point.at / 1000,
          Unit: series[seriesKey(input)]?.unit,
          ...Object.fromEntries(input.Statistics.map((name) => [name, statistic(point, name)])),
          ExtendedStatistics: Object.fromEntries(
            input.ExtendedStatistics.map((name) => [name, statistic(point, name)]),
          ),
        })),
      }),
    ),
    ListMetrics: operation(
      z.object({
        Namespace: z.string().optional(),
        MetricName: z.string().optional(),
        Dimensions: z.array(z.object({ Name: z.string(), Value: z.string().optional() })).default([]),
      }),
      (input) => ({
        Metrics: Object.values(series)
          .filter(
            ({ namespace, name }) =>
              (input.Namespace ?? namespace) === namespace && (input.MetricName ?? name) === name,
          )
          .filter((one) =>
            input.Dimensions.every((wanted) =>
              one.dimensions.some(({ Name, Value }) => Name === wanted.Name && (wanted.Value ?? Value) === Value),
            ),
          )
          .map((one) => ({ Namespace: one.namespace, MetricName: one.name, Dimensions: one.dimensions })),
      }),
    ),
    PutMetricAlarm: operation(z.looseObject({ AlarmName: z.string().min(1) }), async (input) => {
      const now = Date.now() / 1000;
      const before = alarms[input.AlarmName];
      alarms[input.AlarmName] = {
        StateValue: 'INSUFFICIENT_DATA',
        StateReason: 'Unchecked: Initial alarm creation',
        StateUpdatedTimestamp: now,
        ...(before && {
          StateValue: before.StateValue,
          StateReason: before.StateReason,
          StateUpdatedTimestamp: before.StateUpdatedTimestamp,
        }),
        ActionsEnabled: true,
        ...input,
        AlarmArn: localArn('cloudwatch', `alarm:${input.AlarmName}`),
        AlarmConfigurationUpdatedTimestamp: now,
      };
      await file.save();
      return undefined;
    }),
    DescribeAlarms: operation(
      z.object({
        AlarmNames: z.array(z.string()).optional(),
        AlarmNamePrefix: z.string().default(''),
        StateValue: z.string().optional(),
      }),
      (input) => ({
        MetricAlarms: Object.values(alarms).filter(
          ({ AlarmName, StateValue }) =>
            (input.AlarmNames?.includes(AlarmName) ?? true) &&
            AlarmName.startsWith(input.AlarmNamePrefix) &&
            (input.StateValue ?? StateValue) === StateValue,
        ),
        CompositeAlarms: [],
      }),
    ),
    SetAlarmState: operation(
      z.object({
        AlarmName: z.string(),
        StateValue: z.enum(['OK', 'ALARM', 'INSUFFICIENT_DATA']),
        StateReason: z.string(),
      }),
      async (input) => {
        const alarm = alarms[input.AlarmName];
        if (!alarm) throw new AwsError('ResourceNotFound', `There is no alarm ${input.AlarmName}`, 404);
        Object.assign(alarm, {
          StateValue: input.StateValue,
          StateReason: input.StateReason,
          StateUpdatedTimestamp: Date.now() / 1000,
        });
        await file.save();
        return undefined;
      },
    ),
    DeleteAlarms: operation(z.object({ AlarmNames: z.array(z.string()) }), async ({ AlarmNames }) => {
      for (const name of AlarmNames) delete alarms[name];
      await file.save();
      return undefined;
    }),
  };

  /** CloudWatch has no resources for metrics. */
  const requests = (called: string, input: unknown): AccessRequest[] => {
    const { Namespace } = z.looseObject({ Namespace: z.string().optional() }).safeParse(input).data ?? {};
    const context = Namespace === undefined ? {} : { 'cloudwatch:namespace': Namespace };
    return [{ action: `cloudwatch:${called}`, resource: '*', context }];
  };

  return { service: { name: 'cloudwatch', version: '1.0', operations, requests }, close: file.close };
}
