import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { databaseIdSchema } from '../configuration/runtime.ts';
import { maskSchema } from '../masking/rules/registry.ts';
import { type StateTable, wasWritten } from './table.ts';

const storedSchema = z.object({
  database: databaseIdSchema,
  /** 0: there were never any. */
  version: z.int().default(0),
  rules: z.array(z.object({ schema: z.string(), table: z.string(), column: z.string(), mask: maskSchema })).default([]),
  changed_by: z.string().nullable().default(null),
  changed_at: z.string().nullable().default(null),
});

/** The rules of masking of one database. */
export type StoredMasking = z.output<typeof storedSchema>;

export const MASKING_PREFIX = 'MASKING#';
const rulesKey = (database: string): { pk: string; sk: string } => ({
  pk: `${MASKING_PREFIX}${database}`,
  sk: 'MASKING',
});

export async function readMasking(table: StateTable, database: string): Promise<StoredMasking> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: rulesKey(database), ConsistentRead: true }),
  );
  return storedSchema.parse(Item ?? { database });
}

/** Puts rules in place of those of the version before. @returns false when these are of another version, and stay */
export function writeMasking(table: StateTable, masking: StoredMasking): Promise<boolean> {
  return wasWritten(
    table.documents.send(
      new PutCommand({
        TableName: table.name,
        Item: { ...rulesKey(masking.database), ...masking },
        ...(masking.version === 1
          ? { ConditionExpression: 'attribute_not_exists(pk)' }
          : {
              ConditionExpression: '#version = :before',
              ExpressionAttributeNames: { '#version': 'version' },
              ExpressionAttributeValues: { ':before': masking.version - 1 },
            }),
      }),
    ),
  );
}

export const MASKING_KEY = 'MASKING_KEY';

/**
 * The masking key of a deployment that made it once and keeps it here, as KMS has encrypted it, in base 64; null where it is derived. See
 * docs/decisions/0098-keys-apart.md.
 */
export async function readWrappedKey(table: StateTable): Promise<string | null> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: { pk: MASKING_KEY, sk: MASKING_KEY }, ConsistentRead: true }),
  );
  return (
    z
      .object({ wrapped: z.string() })
      .nullable()
      .parse(Item ?? null)?.wrapped ?? null
  );
}
