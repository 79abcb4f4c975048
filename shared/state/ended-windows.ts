import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { coveredSchema, obstacleSchema } from './recovery.ts';
import type { StateTable } from './table.ts';

const endedWindowSchema = z.object({
  /** The replication slot whose changes were captured until then. */
  slot: z.string(),
  at: z.string(),
  reason: z.string(),
  /** What the last run that stored everything has found, as {@link Recovery} has it. */
  covered: coveredSchema.nullable().default(null),
  /** Changes of definitions that cannot be repeated, as {@link Recovery} has them; null where they were not noted, or not kept. */
  obstacles: z.array(obstacleSchema).nullable().default(null),
});

/** When and why the changes of a slot were captured no longer. */
export type EndedWindow = z.output<typeof endedWindowSchema>;

/** Windows of a database that are kept, the latest; slots of earlier ones end without a reason. */
const MOST_WINDOWS = 50;

const endedKey = (database: string) => ({ pk: `RECOVERY#${database}`, sk: 'ENDED' });

/** Windows whose obstacles are kept, the latest. */
const MOST_WITH_OBSTACLES = 20;
const MOST_REASON = 300;

/** When and why the changes of slots were captured no longer, oldest first. */
export async function listEndedWindows(table: StateTable, database: string): Promise<EndedWindow[]> {
  const { Item } = await table.documents.send(
    new GetCommand({ TableName: table.name, Key: endedKey(database), ConsistentRead: true }),
  );
  return Item ? z.array(endedWindowSchema).parse(Item.windows) : [];
}

/** Notes why a window has ended. The first reason that is told of a slot stays: what follows, follows from it. */
export async function noteEndedWindow(table: StateTable, database: string, ended: EndedWindow): Promise<void> {
  const known = await listEndedWindows(table, database);
  if (known.some(({ slot }) => slot === ended.slot)) return;
  const obstacles = ended.obstacles?.map((each) => ({ ...each, reason: each.reason.slice(0, MOST_REASON) })) ?? null;
  const windows = [...known, { ...ended, obstacles }]
    .slice(-MOST_WINDOWS)
    .map((each, index, { length }) => (length - index > MOST_WITH_OBSTACLES ? { ...each, obstacles: null } : each));
  await table.documents.send(new PutCommand({ TableName: table.name, Item: { ...endedKey(database), windows } }));
}

/** @returns null when a slot's changes are captured still, or nobody knows why not */
export async function findEndedWindow(
  table: StateTable,
  { database, slot }: { database: string; slot: string },
): Promise<EndedWindow | null> {
  return (await listEndedWindows(table, database)).find((window) => window.slot === slot) ?? null;
}
