import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { GetCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { type SecuritySettings, securitySettingsSchema } from '../../contract/schemas/security-settings.ts';
import { queryPage } from '../../state/pages.ts';
import type { StateTable } from '../../state/table.ts';

const storedSchema = z.object({
  version: z.int().min(1),
  // A field that a newer version of the system adds has no stored value yet; see readStoredSettings.
  settings: securitySettingsSchema,
  changed_at: z.iso.datetime(),
  changed_by: z.string(),
});

/** Settings that somebody has set. */
export type StoredSettings = z.output<typeof storedSchema>;

const COLLECTION = 'SECURITY_SETTINGS';
export const SECURITY_SETTINGS = 'SECURITY_SETTINGS';
const currentKey = { pk: SECURITY_SETTINGS, sk: 'SECURITY_SETTINGS' };
/** Versions as text sort like numbers. */
const versionText = (version: number): string => String(version).padStart(10, '0');
const versionKey = (version: string) => ({ pk: `${SECURITY_SETTINGS}#${version}`, sk: 'VERSION' });

/** The settings as they are now; null while nobody has set any. */
export async function readStoredSettings(table: StateTable): Promise<StoredSettings | null> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: currentKey, ConsistentRead: true }),
  );
  return Item ? storedSchema.parse(Item) : null;
}

/**
 * Stores new settings as the next version, and keeps each version for good.
 *
 * @param version - the one that is there now; 0 while nobody has set any
 * @returns null when the stored version is another, and nothing is changed
 */
export async function writeStoredSettings(
  table: StateTable,
  version: number,
  settings: SecuritySettings,
  by: string,
  now: Date,
): Promise<StoredSettings | null> {
  const next = { version: version + 1, settings, changed_at: now.toISOString(), changed_by: by };
  const text = versionText(next.version);
  const write = new TransactWriteCommand({
    TransactItems: [
      {
        Put: {
          TableName: table.name,
          Item: { ...currentKey, ...next },
          ConditionExpression: version === 0 ? 'attribute_not_exists(pk)' : '#version = :version',
          ...(version === 0
            ? {}
            : {
                ExpressionAttributeNames: { '#version': 'version' },
                ExpressionAttributeValues: { ':version': version },
              }),
        },
      },
      {
        Put: {
          TableName: table.name,
          Item: { ...versionKey(text), collection: COLLECTION, sort: text, ...next },
          ConditionExpression: 'attribute_not_exists(pk)',
        },
      },
    ],
  });
  try {
    await table.documents.send(write);
    return next;
  } catch (error) {
    if (error instanceof TransactionCanceledException) return null;
    throw error;
  }
}

/** The latest versions, the newest first. */
export async function latestVersions(table: StateTable, limit: number): Promise<StoredSettings[]> {
  const page = await queryPage(table, { collection: COLLECTION, keyOf: versionKey, idSchema: z.string(), limit });
  return page.items.map((item) => storedSchema.parse(item));
}
