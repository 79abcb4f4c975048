import { type CloudWatchClient, type MetricDatum, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { DATABASE_DIMENSION, publishedMetrics } from './metrics.ts';
import { addValues, type Summaries } from './roll-ups.ts';
import type { Sample } from './sample-store.ts';

/** CloudWatch takes up to 1000 in one request of at most 1 MB. */
const MOST_DATA = 500;

/**
 * Publishes what was sampled since the last time, each metric as one set of statistics for a database: a request costs as much as
 * a hundred, so it is one a minute, however often is sampled.
 *
 * @throws the SDK's errors
 */
export async function publishSamples(
  client: CloudWatchClient,
  namespace: string,
  samples: ReadonlyMap<string, readonly Sample[]>,
): Promise<void> {
  const data = [...samples].flatMap(([database, taken]) => dataOf(database, taken));
  for (let from = 0; from < data.length; from += MOST_DATA) {
    const MetricData = data.slice(from, from + MOST_DATA);
    await client.send(new PutMetricDataCommand({ Namespace: namespace, MetricData }));
  }
}

function dataOf(database: string, samples: readonly Sample[]): MetricDatum[] {
  const last = samples.at(-1);
  if (!last) return [];
  const summaries = samples.reduce<Summaries>((sums, { values }) => addValues(sums, values), {});
  return publishedMetrics.flatMap(({ metric, name, unit }): MetricDatum[] => {
    const summary = summaries[metric];
    if (!summary) return [];
    const [Minimum, Sum, Maximum, SampleCount] = summary;
    return [
      {
        MetricName: name,
        Dimensions: [{ Name: DATABASE_DIMENSION, Value: database }],
        Timestamp: new Date(last.at),
        Unit: unit,
        StatisticValues: { Minimum, Maximum, Sum, SampleCount },
      },
    ];
  });
}
