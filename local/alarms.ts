import {
  CloudWatchClient,
  GetMetricStatisticsCommand,
  PutMetricAlarmCommand,
  SetAlarmStateCommand,
  type StateValue,
  type Statistic,
} from '@aws-sdk/client-cloudwatch';
import * as z from 'zod';
import type { EventBus } from './events/bus.ts';
import { region } from './template/identities.ts';
import type { Resource } from './template/intrinsics.ts';

/** An alarm on one metric, as CloudFormation has it. */
const alarmSchema = z.object({
  AlarmName: z.string().optional(),
  AlarmDescription: z.string().default(''),
  Namespace: z.string(),
  MetricName: z.string(),
  Dimensions: z.array(z.object({ Name: z.string(), Value: z.string() })).default([]),
  Statistic: z.enum(['Average', 'Maximum', 'Minimum', 'SampleCount', 'Sum']),
  Period: z.number(),
  EvaluationPeriods: z.number(),
  Threshold: z.number(),
  ComparisonOperator: z.enum([
    'GreaterThanOrEqualToThreshold',
    'GreaterThanThreshold',
    'LessThanOrEqualToThreshold',
    'LessThanThreshold',
  ]),
  TreatMissingData: z.enum(['breaching', 'notBreaching', 'missing', 'ignore']).default('missing'),
});

export type Alarm = z.output<typeof alarmSchema> & { name: string; arn: string };

export type AlarmOptions = {
  resources: readonly Resource[];
  /** Of the local CloudWatch. */
  endpoint: string;
  bus: EventBus;
  note: (text: string) => void;
  /** How often alarms are evaluated; 10 s by default. */
  everyMilliseconds?: number;
};

const breaches: Record<Alarm['ComparisonOperator'], (value: number, threshold: number) => boolean> = {
  GreaterThanOrEqualToThreshold: (value, threshold) => value >= threshold,
  GreaterThanThreshold: (value, threshold) => value > threshold,
  LessThanOrEqualToThreshold: (value, threshold) => value <= threshold,
  LessThanThreshold: (value, threshold) => value < threshold,
};

/**
 * The template's alarms, each on a single metric.
 *
 * @throws Error naming an alarm of another kind, rather than leaving out what the deployed one would see
 */
export function readAlarms(resources: readonly Resource[]): Alarm[] {
  const composite = resources.find(({ type }) => type === 'AWS::CloudWatch::CompositeAlarm');
  if (composite) throw new Error(`The alarm ${composite.name} is made of others, which does not run locally`);
  return resources
    .filter(({ type }) => type === 'AWS::CloudWatch::Alarm')
    .map(({ name, arn, properties }) => {
      const parsed = alarmSchema.safeParse(properties);
      if (parsed.success) return { ...parsed.data, name: parsed.data.AlarmName ?? name, arn };
      throw new Error(`The alarm ${name} does not run locally: ${z.prettifyError(parsed.error)}`);
    });
}

/**
 * The state that the values of an alarm's last periods (undefined: missing) give it; null leaves it as it is.
 */
export function stateOf(
  {
    ComparisonOperator,
    Threshold,
    TreatMissingData,
  }: Pick<Alarm, 'ComparisonOperator' | 'Threshold' | 'TreatMissingData'>,
  values: readonly (number | undefined)[],
): StateValue | null {
  const known = values.filter((value) => value !== undefined);
  if (known.length === 0 && TreatMissingData === 'ignore') return null;
  if (known.length === 0 && TreatMissingData === 'missing') return 'INSUFFICIENT_DATA';
  const isBad = (value: number | undefined): boolean =>
    value === undefined ? TreatMissingData === 'breaching' : breaches[ComparisonOperator](value, Threshold);
  const counted = TreatMissingData === 'missing' || TreatMissingData === 'ignore' ? known : values;
  return counted.every(isBad) ? 'ALARM' : 'OK';
}

/**
 * Makes the template's alarms in the local CloudWatch and evaluates them: a change of state goes to the event bus, as from
 * CloudWatch. The time before this start counts for none of them: nobody was there to publish.
 *
 * @returns what ends it.
 */
export async function runAlarms(options: AlarmOptions): Promise<() => Promise<void>> {
  const { resources, endpoint, bus, note, everyMilliseconds = 10_000 } = options;
  const alarms = readAlarms(resources);
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new CloudWatchClient({ endpoint, region, credentials, maxAttempts: 1 });
  const began = Date.now();
  const states = new Map<string, StateValue>();
  for (const { name, arn: _, ...alarm } of alarms)
    await client.send(new PutMetricAlarmCommand({ ...alarm, AlarmName: name }));

  async function evaluate(alarm: Alarm): Promise<void> {
    const period = alarm.Period * 1000;
    const end = Math.floor(Date.now() / period) * period;
    const start = end - alarm.EvaluationPeriods * period;
    if (start < began) return;
    const { Datapoints = [] } = await client.send(
      new GetMetricStatisticsCommand({
        Namespace: alarm.Namespace,
        MetricName: alarm.MetricName,
        Dimensions: alarm.Dimensions,
        StartTime: new Date(start),
        EndTime: new Date(end),
        Period: alarm.Period,
        Statistics: [alarm.Statistic as Statistic],
      }),
    );
    const values = Array.from({ length: alarm.EvaluationPeriods }, (_, index) => {
      const at = start + index * period;
      return Datapoints.find(({ Timestamp }) => Timestamp?.getTime() === at)?.[alarm.Statistic as 'Sum'];
    });
    const before = states.get(alarm.name) ?? 'INSUFFICIENT_DATA';
    const now = stateOf(alarm, values) ?? before;
    if (now === before) return;
    states.set(alarm.name, now);
    const reason = `${alarm.Statistic} of the last ${alarm.EvaluationPeriods} periods: ${values.map((value) => value ?? 'none').join(', ')}`;
    await client.send(new SetAlarmStateCommand({ AlarmName: alarm.name, StateValue: now, StateReason: reason }));
    bus.put({
      source: 'aws.cloudwatch',
      detailType: 'CloudWatch Alarm State Change',
      resources: [alarm.arn],
      detail: {
        alarmName: alarm.name,
        state: { value: now, reason },
        previousState: { value: before },
        configuration: { description: alarm.AlarmDescription },
      },
    });
  }

  let running: Promise<void> | null = null;
  async function evaluateAll(): Promise<void> {
    for (const alarm of alarms) await evaluate(alarm);
  }
  const timer = setInterval(() => {
    running ??= evaluateAll()
      .catch((error: unknown) => note(`Alarms: ${error instanceof Error ? error.message : String(error)}`))
      .finally(() => {
        running = null;
      });
  }, everyMilliseconds);
  return async () => {
    clearInterval(timer);
    await running;
    client.destroy();
  };
}
