import {
  CreateTableCommand,
  type CreateTableCommandInput,
  type DynamoDBClient,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';

/** Seconds until a table must be there, and between two looks. */
const PATIENCE = { maxWaitTime: 60, minDelay: 0.02, maxDelay: 1 };

/**
 * Makes a table and waits, as CloudFormation does, until it is `ACTIVE`: a table that is being created takes no reads and no writes.
 *
 * @throws the SDK's errors, `ResourceInUseException` among them
 */
export async function createTable(client: DynamoDBClient, input: CreateTableCommandInput): Promise<void> {
  await client.send(new CreateTableCommand(input));
  await waitUntilTableExists({ client, ...PATIENCE }, { TableName: input.TableName });
}
