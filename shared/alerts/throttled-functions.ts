import { type CloudWatchClient, GetMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { DeleteCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { StateTable } from '../state/table.ts';
import type { TroubledFunction } from './function-reports.ts';
import { FUNCTIONS_PARTITION } from './troubled-functions.ts';

export interface ThrottleDependencies {
  cloudwatch: CloudWatchClient;
  /** Names of the deployed functions. */
  functions: readonly string[];
}

/** What the alarm on the throttles of the whole account is named after its deployment. */
export const ACCOUNT_THROTTLES = 'account/throttles';
/** In the partition of troubled functions: there while that alarm rings. */
export const RINGING = 'ACCOUNT#throttles';
/** How often the functions are asked about while it rings. CloudWatch bills each function asked about. */
export const LOOK_EVERY_MS = 300_000;

/** CloudWatch counts into periods of this length, of which the present one is not complete. */
const PERIOD_SECONDS = 300;
const LOOK_BACK_MS = 3 * PERIOD_SECONDS * 1000;
/** What CloudWatch takes in one request. */
const MOST_QUERIES = 500;

const key = { pk: FUNCTIONS_PARTITION, sk: RINGING };

/** Remembers that the alarm rings, and when the functions were last asked about. */
export async function rememberRinging(table: StateTable, lookedAt: number): Promise<void> {
  await table.documents.send(new PutCommand({ TableName: table.name, Item: { ...key, looked_at: lookedAt } }));
}

export async function forgetRinging(table: StateTable): Promise<void> {
  await table.documents.send(new DeleteCommand({ TableName: table.name, Key: key }));
}

/**
 * The functions of this deployment that Lambda held back lately: the account's own count does not tell whose they were.
 *
 * @throws the SDK's errors
 */
export async function throttledFunctions(
  { cloudwatch, functions }: ThrottleDependencies,
  now = Date.now(),
): Promise<TroubledFunction[]> {
  const throttled: TroubledFunction[] = [];
  for (let from = 0; from < functions.length; from += MOST_QUERIES) {
    const asked = functions.slice(from, from + MOST_QUERIES);
    const { MetricDataResults = [] } = await cloudwatch.send(
      new GetMetricDataCommand({
        StartTime: new Date(now - LOOK_BACK_MS),
        EndTime: new Date(now),
        MetricDataQueries: asked.map((Value, index) => ({
          Id: `f${index}`,
          MetricStat: {
            Metric: {
              Namespace: 'AWS/Lambda',
              MetricName: 'Throttles',
              Dimensions: [{ Name: 'FunctionName', Value }],
            },
            Period: PERIOD_SECONDS,
            Stat: 'Sum',
          },
        })),
      }),
    );
    for (const { Id, Values = [] } of MetricDataResults) {
      const times = Values.reduce((sum, value) => sum + value, 0);
      const name = asked[Number(Id?.slice(1))];
      if (times === 0 || name === undefined) continue;
      const detail = `not started ${times} times within ${LOOK_BACK_MS / 60_000} minutes`;
      throttled.push({ name, trouble: 'throttles', at: new Date(now), detail });
    }
  }
  return throttled;
}
