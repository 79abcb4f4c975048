import { QueryCommand, type QueryCommandOutput } from '@aws-sdk/lib-dynamodb';
import type { AuditTable } from './chain.ts';
import { chainPartition } from './record.ts';

/** Items of one query, of a megabyte at most. */
const PER_QUERY = 1000;

/**
 * The items of a chain in the order of their keys, whatever they are, a page at a time.
 *
 * @param first - a sort key, from which on
 * @param last - a sort key, up to which
 */
export async function* readChain(
  table: AuditTable,
  chain: string,
  { first, last, after }: { first: string; last: string; after?: string | undefined },
): AsyncGenerator<Record<string, unknown>> {
  const pk = chainPartition(chain);
  let position: Record<string, unknown> | undefined = after === undefined ? undefined : { pk, sk: after };
  do {
    const answer: QueryCommandOutput = await table.documents.send(
      new QueryCommand({
        TableName: table.name,
        KeyConditionExpression: '#pk = :chain AND #sk BETWEEN :first AND :last',
        ExpressionAttributeNames: { '#pk': 'pk', '#sk': 'sk' },
        ExpressionAttributeValues: { ':chain': pk, ':first': first, ':last': last },
        ConsistentRead: true,
        Limit: PER_QUERY,
        ...(position ? { ExclusiveStartKey: position } : {}),
      }),
    );
    yield* answer.Items ?? [];
    position = answer.LastEvaluatedKey;
  } while (position);
}
