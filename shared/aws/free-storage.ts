import { type CloudWatchClient, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';

/** How far back the last value is looked for: RDS sends one a minute, some minutes late. */
const WINDOW_MS = 15 * 60_000;
const PERIOD_SECONDS = 60;
/** A network without a way to CloudWatch must not hold up what asks. */
const ANSWER_MS = 4000;

/**
 * The free storage of an RDS instance in bytes, as CloudWatch knows it (`AWS/RDS`, `FreeStorageSpace`).
 *
 * @returns null when there is no recent value, as of an instance of another account or region
 * @throws the SDK's errors
 */
export async function readFreeStorage(cloudwatch: CloudWatchClient, instanceId: string): Promise<number | null> {
  const now = Date.now();
  const { MetricDataResults = [] } = await cloudwatch.send(
    new GetMetricDataCommand({
      StartTime: new Date(now - WINDOW_MS),
      EndTime: new Date(now + PERIOD_SECONDS * 1000),
      ScanBy: 'TimestampDescending',
      MetricDataQueries: [
        {
          Id: 'free',
          MetricStat: {
            Metric: {
              Namespace: 'AWS/RDS',
              MetricName: 'FreeStorageSpace',
              Dimensions: [{ Name: 'DBInstanceIdentifier', Value: instanceId }],
            },
            Period: PERIOD_SECONDS,
            Stat: 'Minimum',
          },
        },
      ],
    }),
    { abortSignal: AbortSignal.timeout(ANSWER_MS) },
  );
  return MetricDataResults[0]?.Values?.[0] ?? null;
}
