import { createHash } from 'node:crypto';
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { type StateTable, stateKeys, wasWritten } from '../../state/table.ts';

const MINUTE_MS = 60_000;

/** What begins the keys of the counters. */
export const CALLS_PREFIX = 'CALLS#';

/**
 * Counts a call of a caller in this minute, up to a limit.
 *
 * @param limit - calls in a minute by the clock
 * @returns seconds until the next minute when there were too many; null otherwise
 * @throws the SDK's errors
 */
export async function countCall(
  table: StateTable,
  sub: string,
  limit: number,
  now = Date.now(),
): Promise<number | null> {
  const minute = Math.floor(now / MINUTE_MS);
  // A hash, as who issues tokens says how long a `sub` may be.
  const caller = createHash('sha256').update(sub).digest('base64url');
  const isWithin = await wasWritten(
    table.documents.send(
      new UpdateCommand({
        TableName: table.name,
        Key: { [stateKeys.partition]: `${CALLS_PREFIX}${caller}`, [stateKeys.sort]: String(minute) },
        UpdateExpression: 'SET #ttl = :ttl ADD #calls :one',
        ConditionExpression: 'attribute_not_exists(#calls) OR #calls < :limit',
        ExpressionAttributeNames: { '#calls': 'calls', '#ttl': stateKeys.timeToLive },
        ExpressionAttributeValues: { ':one': 1, ':limit': limit, ':ttl': (minute + 2) * 60 },
      }),
    ),
  );
  return isWithin ? null : Math.ceil(((minute + 1) * MINUTE_MS - now) / 1000);
}
