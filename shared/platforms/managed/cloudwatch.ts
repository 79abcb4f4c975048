import { type CloudWatchClient, type Dimension, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';

/** RDS publishes each minute; volume sizes of Aurora come less often. */
const LOOK_BACK_MS = 30 * 60_000;
const PERIOD_SECONDS = 60;

/** Metrics of `AWS/RDS`, each with the dimensions under which CloudWatch knows it. */
export type AskedMetrics<Name extends string> = Partial<Record<Name, Dimension[]>>;

/**
 * The newest value of each metric that CloudWatch has of the last half hour; null where it has none.
 *
 * @throws the SDK's errors
 */
export async function readNewest<Name extends string>(
  client: CloudWatchClient,
  asked: AskedMetrics<Name>,
  now: number,
): Promise<(metric: Name) => number | null> {
  const names = Object.keys(asked) as Name[];
  if (names.length === 0) return () => null;
  const { MetricDataResults = [] } = await client.send(
    new GetMetricDataCommand({
      MetricDataQueries: names.map((MetricName, index) => ({
        Id: `m${index}`,
        MetricStat: {
          Metric: { Namespace: 'AWS/RDS', MetricName, Dimensions: asked[MetricName] },
          Period: PERIOD_SECONDS,
          Stat: 'Average',
        },
      })),
      StartTime: new Date(now - LOOK_BACK_MS),
      EndTime: new Date(now),
      ScanBy: 'TimestampDescending',
    }),
  );
  return (metric) => {
    const id = `m${names.indexOf(metric)}`;
    return MetricDataResults.find(({ Id }) => Id === id)?.Values?.[0] ?? null;
  };
}
