import { DeleteCommand, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { type StateTable, wasWritten } from './table.ts';

const changeSchema = z.object({
  to: z.enum(['on', 'off']),
  /** The slot that is made; null where none is. */
  slot: z.string().nullable(),
  by: z.string(),
  /** When it began, in ISO 8601; also its name. */
  at: z.string(),
});

/** That recovery of a database is being turned on or off. It is removed at the end: one that is old was interrupted. */
export type RecoveryChange = z.output<typeof changeSchema>;

/** Longer than a change can take: one of this age was interrupted. */
export const INTERRUPTED_AFTER_MS = 120_000;

export const isInterrupted = ({ at }: RecoveryChange, now: Date): boolean =>
  now.getTime() - Date.parse(at) > INTERRUPTED_AFTER_MS;

const changeKey = (database: string) => ({ pk: `RECOVERY#${database}`, sk: 'CHANGE' });

/** @returns null when nothing is being changed */
export async function readRecoveryChange(table: StateTable, database: string): Promise<RecoveryChange | null> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: changeKey(database), ConsistentRead: true }),
  );
  return Item ? changeSchema.parse(Item) : null;
}

/** Notes a change before anything is done. @returns false when another has begun, and was not interrupted */
export function beginRecoveryChange(table: StateTable, database: string, change: RecoveryChange): Promise<boolean> {
  const stale = new Date(Date.parse(change.at) - INTERRUPTED_AFTER_MS).toISOString();
  return wasWritten(
    table.documents.send(
      new PutCommand({
        TableName: table.name,
        Item: { ...changeKey(database), ...change },
        ConditionExpression: 'attribute_not_exists(pk) OR #at < :stale',
        ExpressionAttributeNames: { '#at': 'at' },
        ExpressionAttributeValues: { ':stale': stale },
      }),
    ),
  );
}

/** Notes that a change has ended, however it did. */
export async function endRecoveryChange(
  table: StateTable,
  database: string,
  { at }: Pick<RecoveryChange, 'at'>,
): Promise<void> {
  await wasWritten(
    table.documents.send(
      new DeleteCommand({
        TableName: table.name,
        Key: changeKey(database),
        ConditionExpression: '#at = :at',
        ExpressionAttributeNames: { '#at': 'at' },
        ExpressionAttributeValues: { ':at': at },
      }),
    ),
  );
}
