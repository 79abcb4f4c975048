import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import type { Backup } from '../contract/schemas/backup.ts';
import { closedCodeSchema } from '../contract/schemas/recovery.ts';
import { catalogSeenSchema } from '../postgres/definitions/catalog-seen.ts';
import { definitionsSeenSchema } from '../postgres/table-definitions.ts';
import { type BackupScope, isOfTheWhole } from './backups.ts';
import { type StateTable, setExpression, wasWritten } from './table.ts';

export const obstacleSchema = z.object({
  /** When the change of definitions was committed; where that is not known, when all was last seen to be as before. */
  at: z.string(),
  /** No commit from here on can be repeated by the backups that do not have the change in them. */
  lsn: z.string(),
  /** A backup that saw this transaction has the change in it. */
  xid: z.string(),
  reason: z.string(),
});

/** A change of definitions that cannot be repeated. */
export type Obstacle = z.output<typeof obstacleSchema>;

const closedSchema = z.object({
  at: z.string(),
  reason: z.string(),
  /** null of windows that ended before it was noted. */
  code: closedCodeSchema.nullable().default(null),
});
export type Closed = z.output<typeof closedSchema>;

export const coveredSchema = z.object({ time: z.string(), lsn: z.string() });

const provenSchema = z.object({
  base: z.string(),
  lsn: z.string(),
  at: z.string(),
  outcome: z.enum(['repeated', 'unknown']),
  reason: z.string().nullable(),
});

const recoverySchema = z.object({
  database: z.string(),
  /** The replication slot whose changes are captured. */
  slot: z.string(),
  follows_definitions: z.boolean(),
  turned_on_at: z.string(),
  turned_on_by: z.string(),
  /** When a run last began that stored everything there was; null before the first. */
  captured_at: z.string().nullable(),
  /** What that run has found: until `time`, by the server's clock, nothing was committed but what is stored up to `lsn`. */
  covered: coveredSchema.nullable().default(null),
  /** When a run last began that wrote a segment. */
  stored_at: z.string().nullable(),
  /** As the definitions of tables were last seen, where changes of them are not in the stream; null before the first time. */
  definitions: definitionsSeenSchema.nullable().default(null),
  /** As all definitions were last seen, where changes of them are in the stream; null before the first time. */
  catalog: catalogSeenSchema.nullable().default(null),
  /** Until where changes of definitions were rehearsed on which full backup, and why that says nothing; null before the first time. */
  proven: provenSchema.nullable().default(null),
  /** Why and when the capture ended; null while it goes on. */
  closed: closedSchema.nullable(),
  /** Somebody wants it paused: done by the run that has captured everything. null: nobody does. */
  pausing: z.object({ since: z.string(), by: z.string() }).nullable().default(null),
  /** Of the server's log when the slot was made: another one says that another server took its place. null: not known. */
  timeline: z.int().nullable().default(null),
  /** Messages that claimed to tell of changes of definitions and were ignored, the last of them within a day; null for none. */
  unauthenticated: z.object({ count: z.int(), first_at: z.string(), last_at: z.string() }).nullable().default(null),
  /** The latest that were noticed, oldest first. */
  obstacles: z.array(obstacleSchema).default([]),
  /** Why a full backup is to be taken by itself; one that began before does not do. null: there is one. */
  base_wanted: z.object({ since: z.string(), reason: z.string() }).nullable().default(null),
  /** How many were begun, each within a day of the one before, and when the last was. */
  base_attempts: z.int().default(0),
  base_tried_at: z.string().nullable().default(null),
  /** How often the slot was lost, each time within a day, and when it is to be made anew; null: not by itself. */
  renewals: z.int().default(0),
  renew_at: z.string().nullable().default(null),
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
  values: Partial<Pick<Recovery, 'captured_at' | 'covered' | 'stored_at' | 'definitions' | 'catalog'>>,
): Promise<boolean> {
  return change(table, of, values, '#slot = :slot');
}

/** Notes until where changes of definitions were rehearsed. @returns false when the slot is another one by now */
export function recordProven(table: StateTable, of: OfSlot, proven: NonNullable<Recovery['proven']>): Promise<boolean> {
  return change(table, of, { proven }, '#slot = :slot');
}

/** Notes that the window has ended. @returns false when that is known, or the slot is another one by now */
export function recordClosed(
  table: StateTable,
  of: OfSlot,
  closing: Pick<Recovery, 'renewals' | 'renew_at'> & { closed: Closed },
): Promise<boolean> {
  const values = { ...closing, pausing: null };
  return change(table, of, values, '#slot = :slot AND attribute_type(#closed, :none)', { ':none': 'NULL' });
}

/** Notes that a window that has ended stays so until somebody resumes it. @returns false when the slot is another one by now */
export function recordKeptClosed(table: StateTable, of: OfSlot, closed: Closed): Promise<boolean> {
  return change(table, of, { closed, renew_at: null }, '#slot = :slot');
}

/** Notes that it is to be paused, or not any more. @returns false when the window has ended, or the slot is another one by now */
export function recordPausing(table: StateTable, of: OfSlot, pausing: Recovery['pausing']): Promise<boolean> {
  const condition = '#slot = :slot AND attribute_type(#closed, :none)';
  return change(table, of, { pausing }, condition, { ':none': 'NULL' }, { '#closed': 'closed' });
}

/** Obstacles that are kept; older ones are in the descriptions of their segments alone. */
export const MOST_OBSTACLES = 20;

/** Notes a change of definitions that ends the window, so that a full backup is wanted from now on. Again is no change. */
export async function recordObstacle(
  table: StateTable,
  database: string,
  obstacle: Obstacle,
  now: Date,
): Promise<void> {
  const recovery = await readRecovery(table, database);
  if (!recovery || recovery.obstacles.some(({ lsn }) => lsn === obstacle.lsn)) return;
  const reason = `A change of definitions cannot be repeated: ${obstacle.reason}`;
  await change(
    table,
    recovery,
    {
      obstacles: [...recovery.obstacles, obstacle].slice(-MOST_OBSTACLES),
      base_wanted: { since: now.toISOString(), reason },
    },
    '#slot = :slot',
  );
}

/**
 * Notes that a full backup on which changes are repeated has lost an object or its manifest, so that another is wanted from now on. Of a
 * database without recovery, and of a backup that is no base, nothing is noted.
 */
export async function recordLostBase(
  table: StateTable,
  { id, database, ...backup }: BackupScope & Pick<Backup, 'id' | 'database' | 'created_at'>,
  now: Date,
): Promise<void> {
  if (!isOfTheWhole(backup)) return;
  const recovery = await readRecovery(table, database);
  if (!recovery || recovery.base_wanted || Date.parse(backup.created_at) < Date.parse(recovery.turned_on_at)) return;
  const reason = `The full backup ${id} is damaged`;
  await change(table, recovery, { base_wanted: { since: now.toISOString(), reason } }, '#slot = :slot');
}

/** Notes messages that nobody vouches for, in addition to those that were noted before. */
export async function recordUnauthenticatedMessages(
  table: StateTable,
  of: OfSlot,
  count: number,
  now: Date,
): Promise<void> {
  const before = (await readRecovery(table, of.database))?.unauthenticated;
  const at = now.toISOString();
  const unauthenticated = { count: (before?.count ?? 0) + count, first_at: before?.first_at ?? at, last_at: at };
  await change(table, of, { unauthenticated }, '#slot = :slot');
}

/** There have been no such messages for a day. */
export function forgetUnauthenticatedMessages(table: StateTable, of: OfSlot): Promise<boolean> {
  return change(table, of, { unauthenticated: null }, '#slot = :slot');
}

/** Notes that the full backup is there that is wanted since a moment. @returns false when another is wanted by now */
export function recordBaseTaken(table: StateTable, of: OfSlot, wantedSince: string): Promise<boolean> {
  return change(table, of, { base_wanted: null }, '#slot = :slot AND #base_wanted.since = :since', {
    ':since': wantedSince,
  });
}

/** Notes that a full backup is begun. @returns false when another run begins it */
export function recordBaseTried(
  table: StateTable,
  { database, slot, base_tried_at: before }: Pick<Recovery, 'database' | 'slot' | 'base_tried_at'>,
  values: { base_attempts: number; base_tried_at: string },
): Promise<boolean> {
  const condition =
    before === null
      ? '#slot = :slot AND NOT attribute_type(#base_tried_at, :before)'
      : '#slot = :slot AND #base_tried_at = :before';
  return change(table, { database, slot }, values, condition, { ':before': before ?? 'S' });
}

/** Notes that a lost slot is made anew. @returns false when another run makes it */
export function recordRenewal(
  table: StateTable,
  { database, slot, renew_at: before }: OfSlot & { renew_at: string },
  values: { renewals: number; renew_at: string },
): Promise<boolean> {
  return change(table, { database, slot }, values, '#slot = :slot AND #renew_at = :before', { ':before': before });
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
  more: Record<string, unknown> = {},
  names: Record<string, string> = {},
): Promise<boolean> {
  const set = setExpression(values);
  return wasWritten(
    table.documents.send(
      new UpdateCommand({
        TableName: table.name,
        Key: recoveryKey(database),
        ...set,
        ConditionExpression: condition,
        ExpressionAttributeNames: { ...set.ExpressionAttributeNames, '#slot': 'slot', ...names },
        ExpressionAttributeValues: { ...set.ExpressionAttributeValues, ':slot': slot, ...more },
      }),
    ),
  );
}
