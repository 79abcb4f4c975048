import { GetCommand, QueryCommand, type QueryCommandOutput } from '@aws-sdk/lib-dynamodb';
import { auditRecordSchema } from '../../contract/schemas/audit.ts';
import type { StateTable } from '../../state/table.ts';
import { CHAINS_PARTITION, type ChainHead, headKey, headsPartition, type Shard, shardOfHead } from './record.ts';

const headSchema = auditRecordSchema.pick({ sequence: true, hash: true, at: true });

/** The last records of a chain and of its shards. */
export type Heads = ReadonlyMap<Shard, ChainHead>;

/** The last record that a chain, or one of its shards, should have. @throws the SDK's errors; ZodError when the head is none */
export async function readHead(table: StateTable, chain: string, shard?: Shard): Promise<ChainHead | null> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: headKey(chain, shard), ConsistentRead: true }),
  );
  return Item ? headSchema.parse(Item) : null;
}

/** All heads of a chain: what was appended before this is asked follows none of them. @throws as {@link readHead} */
export async function readHeads(table: StateTable, chain: string): Promise<Heads> {
  const { Items = [] } = await table.documents.send(
    new QueryCommand({
      TableName: table.name,
      KeyConditionExpression: '#pk = :heads',
      ExpressionAttributeNames: { '#pk': 'pk' },
      ExpressionAttributeValues: { ':heads': headsPartition(chain) },
      // They are some ten kilobytes in all.
      ConsistentRead: true,
    }),
  );
  return new Map(
    Items.flatMap((item) => {
      const place = shardOfHead(item.sk);
      return place ? [[place.shard, headSchema.parse(item)] as const] : [];
    }),
  );
}

/** The chains that have a record in the table, of databases that are configured and of those that were. @throws the SDK's errors */
export async function listChains(table: StateTable): Promise<string[]> {
  const chains: string[] = [];
  let position: Record<string, unknown> | undefined;
  do {
    const answer: QueryCommandOutput = await table.documents.send(
      new QueryCommand({
        TableName: table.name,
        KeyConditionExpression: '#pk = :chains',
        ExpressionAttributeNames: { '#pk': 'pk' },
        ExpressionAttributeValues: { ':chains': CHAINS_PARTITION },
        ...(position ? { ExclusiveStartKey: position } : {}),
      }),
    );
    chains.push(...(answer.Items ?? []).map(({ sk }) => String(sk)));
    position = answer.LastEvaluatedKey;
  } while (position);
  return chains;
}
