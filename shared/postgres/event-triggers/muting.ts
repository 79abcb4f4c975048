import type pg from 'pg';
import { createMutedSql, firingSql, rememberMutedSql, unmuteSql } from './muting.sql.ts';

/**
 * Keeps the event triggers of a database from firing on what a replay does: on its own tables, on the commands that it repeats, which
 * have had their effect on the original, and, those of logins, on its sessions. Which they were is kept in the database, beside the
 * replay's own memory.
 *
 * @param client - in a transaction, or before any event trigger is there
 */
export async function muteEventTriggers(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ id: string; mode: string; statement: string }>(firingSql);
  // ALTER EVENT TRIGGER fires none, so it comes first.
  for (const { statement } of rows) await client.query(statement);
  await client.query(createMutedSql);
  for (const { id, mode } of rows) await client.query(rememberMutedSql, [id, mode]);
}

/** Keeps those from firing that an extension has brought meanwhile. */
export async function muteNewEventTriggers(client: pg.Client): Promise<void> {
  const { rows } = await client.query(firingSql);
  if (rows.length > 0) await muteEventTriggers(client);
}

/** Reads what lets event triggers fire as before; to be run last of all, after what they are kept in is dropped. */
export async function readUnmuting(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ statement: string }>(unmuteSql);
  return rows.map(({ statement }) => statement);
}
