import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import type pg from 'pg';
import * as z from 'zod';
import { type StateTable, wasWritten } from '../../state/table.ts';
import { sightingsSql } from './sightings.sql.ts';

const sightingsSchema = z.object({
  version: z.int(),
  /** When looking began, in milliseconds since the epoch. */
  since: z.number(),
  /** By login: when it was last seen with a session, in milliseconds since the epoch; null: not since it was first known. */
  last_seen: z.record(z.string(), z.number().nullable()),
  /** By login: when it was first known. */
  known_since: z.record(z.string(), z.number()),
});

/** When the logins of a server were seen. Whoever looks at them adds to it, and a schedule does so every ten minutes. */
export type Sightings = z.output<typeof sightingsSchema>;

const keyOf = (database: string) => ({ pk: `LOGINS#${database}`, sk: 'LOGINS' });

/** @returns null when nobody has looked yet */
export async function readSightings(table: StateTable, database: string): Promise<Sightings | null> {
  const { Item } = await table.documents.send(new GetCommand({ TableName: table.name, Key: keyOf(database) }));
  return Item ? sightingsSchema.parse(Item) : null;
}

/**
 * Looks which logins have a session now and notes it. A login that is gone is forgotten. Of several lookers at the same moment one
 * notes it: what another saw, the next look sees.
 *
 * @throws the driver's and the SDK's errors
 */
export async function noteSightings(
  client: pg.Client,
  table: StateTable,
  database: string,
  now = Date.now(),
): Promise<Sightings> {
  const { rows } = await client.query<{ name: string; present: boolean }>(sightingsSql);
  const before = await readSightings(table, database);
  const next: Sightings = {
    version: (before?.version ?? 0) + 1,
    since: before?.since ?? now,
    last_seen: Object.fromEntries(
      rows.map(({ name, present }) => [name, present ? now : (before?.last_seen[name] ?? null)]),
    ),
    known_since: Object.fromEntries(rows.map(({ name }) => [name, before?.known_since[name] ?? now])),
  };
  await wasWritten(
    table.documents.send(
      new PutCommand({
        TableName: table.name,
        Item: { ...keyOf(database), ...next },
        ConditionExpression: before ? '#version = :version' : 'attribute_not_exists(pk)',
        ...(before
          ? {
              ExpressionAttributeNames: { '#version': 'version' },
              ExpressionAttributeValues: { ':version': before.version },
            }
          : {}),
      }),
    ),
  );
  return next;
}
