import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { StateTable } from './table.ts';

const copiesSchema = z.object({
  /** Since when copies are watched: what was stored before may never have been copied. */
  since: z.string(),
  checked_at: z.string(),
  /** Backups whose every object is copied. */
  copied: z.array(z.string()),
  /** When the oldest backup was stored of which not every object is copied yet; null: there is none. */
  waiting_since: z.string().nullable(),
  /** Keys of objects that S3 could not copy, the first hundred. */
  failed: z.array(z.string()),
});

/** How far the copies of a database's backups in the second region have come. */
export type Copies = z.output<typeof copiesSchema>;

const copiesKey = (database: string) => ({ pk: `COPIES#${database}`, sk: 'COPIES' });

/** @returns null where no copies are watched */
export async function readCopies(table: StateTable, database: string): Promise<Copies | null> {
  const { Item } = await table.documents.send(new GetCommand({ TableName: table.name, Key: copiesKey(database) }));
  return Item ? copiesSchema.parse(Item) : null;
}

export async function writeCopies(table: StateTable, database: string, copies: Copies): Promise<void> {
  await table.documents.send(new PutCommand({ TableName: table.name, Item: { ...copiesKey(database), ...copies } }));
}
