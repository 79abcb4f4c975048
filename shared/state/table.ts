import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

/** The State table and the client that reads and writes it. */
export interface StateTable {
  documents: DynamoDBDocumentClient;
  name: string;
}

/** Names of the table's index and attributes; infra creates the table with the same ones. */
export const stateKeys = {
  partition: 'pk',
  sort: 'sk',
  /** Index of everything of one kind and database, newest last. */
  index: 'by_collection',
  indexPartition: 'collection',
  indexSort: 'sort',
  /** Seconds since the epoch; DynamoDB removes the item some time after. */
  timeToLive: 'expires_at_epoch',
} as const;

/** @param client - with time-outs and bounded retries; see shared/aws/clients.ts */
export function openTable(client: DynamoDBClient, name: string): StateTable {
  return { documents: DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } }), name };
}

/**
 * Awaits a conditional write.
 *
 * @returns false when its condition did not hold; any other failure is thrown
 */
export async function wasWritten(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}

/** `SET` of several attributes; every name and value is a placeholder, as DynamoDB reserves many words. */
export function setExpression(values: Readonly<Record<string, unknown>>): {
  UpdateExpression: string;
  ExpressionAttributeNames: Record<string, string>;
  ExpressionAttributeValues: Record<string, unknown>;
} {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return {
    UpdateExpression: `SET ${entries.map(([name]) => `#${name} = :${name}`).join(', ')}`,
    ExpressionAttributeNames: Object.fromEntries(entries.map(([name]) => [`#${name}`, name])),
    ExpressionAttributeValues: Object.fromEntries(entries.map(([name, value]) => [`:${name}`, value])),
  };
}
