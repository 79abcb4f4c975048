import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { type StateTable, setExpression, wasWritten } from './table.ts';

const recoverySchema = z.object({
  database: z.string(),
  /** The replication slot whose changes are captured. */
  slot: z.string(),
  follows_definitions: z.boolean(),
  turned_on_at: z.string(),
  turned_on_by: z.string(),
  /** When a run last began that stored everything there was; null before the first. */
  captured_at: z.string().nullable(),
  /** When a run last began that wrote a segment. */
  stored_at: z.string().nullable(),
  /** Why and when the capture ended by itself; null while it goes on. */
  closed: z.object({ at: z.string(), reason: z.string() }).nullable(),
});

/** That a database's changes are captured, or were until something ended it. */
export type Recovery = z.output<typeof recoverySchema>;
type OfSlot = Pick<Recovery, 'database' | 'slot'>;

const recoveryKey = (database: string) => ({ pk: `RECOVERY#${database}`, sk: 'RECOVERY' });

/** @returns null where point-in-time recovery is off */
export async function readRecovery(table: StateTable, database: string): Promise<Recovery | null> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: recoveryKey(database), ConsistentRead: true }),
  );
  return Item ? recoverySchema.parse(Item) : null;
}

/** Notes that a new slot's changes are captured from now on. */
export async function writeRecovery(table: StateTable, recovery: Recovery): Promise<void> {
  await table.documents.send(
    new PutCommand({ TableName: table.name, Item: { ...recoveryKey(recovery.database), ...recovery } }),
  );
}

/** Notes how far a run has come. @returns false when the slot is another one by now */
export function recordCapture(
  table: StateTable,
  of: OfSlot,
  values: Partial<Pick<Recovery, 'captured_at' | 'stored_at'>>,
): Promise<boolean> {
  return change(table, of, values, '#slot = :slot');
}

/** Notes that the window has ended. @returns false when that is known, or the slot is another one by now */
export function recordClosed(table: StateTable, of: OfSlot, closed: NonNullable<Recovery['closed']>): Promise<boolean> {
  return change(table, of, { closed }, '#slot = :slot AND attribute_type(#closed, :none)', { ':none': 'NULL' });
}

/** Point-in-time recovery is off. */
export async function removeRecovery(table: StateTable, database: string): Promise<void> {
  await table.documents.send(new DeleteCommand({ TableName: table.name, Key: recoveryKey(database) }));
}

function change(
  table: StateTable,
  { database, slot }: OfSlot,
  values: Partial<Recovery>,
  condition: string,
  more: Record<string, string> = {},
): Promise<boolean> {
  const set = setExpression(values);
  return wasWritten(
    table.documents.send(
      new UpdateCommand({
        TableName: table.name,
        Key: recoveryKey(database),
        ...set,
        ConditionExpression: condition,
        ExpressionAttributeNames: { ...set.ExpressionAttributeNames, '#slot': 'slot' },
        ExpressionAttributeValues: { ...set.ExpressionAttributeValues, ':slot': slot, ...more },
      }),
    ),
  );
}
