import type pg from 'pg';
import * as z from 'zod';
import { nextXidSql } from '../capture/slot.sql.ts';
import {
  createEventTriggersSql,
  dropEventTriggersSql,
  eventTriggerNames,
  readKeySql,
  TRIGGERS_COMMENT,
  triggerSetupSql,
} from '../definitions/event-triggers.sql.ts';
import { type Signing, type SigningKey, signingKeySchema } from '../definitions/signature.ts';
import { explainSetupFailure } from './explain-failure.ts';

const setupSchema = z.object({
  comment: z.string().nullable(),
  firing: z.int(),
  has_key: z.boolean(),
  reads_key: z.boolean(),
});

/**
 * The event triggers that are there: `current` tell of every change of definitions and sign with a key, which is null where this login
 * may not read it; `earlier` tell of every change, of an earlier version; `broken` do not, or cannot sign.
 */
export type TriggerSetup = { state: 'current'; key: SigningKey | null } | { state: 'earlier' | 'broken' };

export async function readTriggerSetup(client: pg.Client): Promise<TriggerSetup> {
  const { rows } = await client.query(triggerSetupSql, [eventTriggerNames]);
  const { comment, firing, has_key: hasKey, reads_key: readsKey } = setupSchema.parse(rows[0]);
  if (comment === null || firing < eventTriggerNames.length) return { state: 'broken' };
  if (comment !== TRIGGERS_COMMENT) return { state: 'earlier' };
  if (!hasKey) return { state: 'broken' };
  return { state: 'current', key: readsKey ? await readKey(client) : null };
}

async function readKey(client: pg.Client): Promise<SigningKey> {
  const { rows } = await client.query(readKeySql);
  return signingKeySchema.parse(rows[0]);
}

/** Creates the event triggers, with a key of their own. */
export async function createEventTriggers(client: pg.Client): Promise<void> {
  await client.query(createEventTriggersSql);
}

/** By what the messages of new event triggers are known from now on; every transaction that may hold others has ended. */
export async function readNewSigning(client: pg.Client): Promise<Signing> {
  return { keys: [await readKey(client)], since: '0' };
}

/** What is known of a slot's event triggers when its changes are to be read. */
export interface FollowedDefinitions {
  signing: Signing | null;
  /** Whether that is other than it was. */
  isNew: boolean;
  /** Why changes of definitions may have been made that nobody told of; null: there were none. */
  untold: string | null;
  /** What keeps messages from being signed. */
  warning: string | null;
}

/**
 * Looks whether the event triggers tell of every change, and replaces those that do not, or that are of an earlier version. Called
 * before changes are read, by who has the slot.
 *
 * @param known - by what the messages of the slot were known until now
 * @throws OperationError where event triggers are broken and cannot be replaced
 */
export async function followDefinitions(client: pg.Client, known: Signing | null): Promise<FollowedDefinitions> {
  const setup = await readTriggerSetup(client);
  if (setup.state === 'current') {
    const { key } = setup;
    if (key === null || known?.keys.some(({ inner, outer }) => inner === key.inner && outer === key.outer)) {
      return { signing: known, isNew: false, untold: null, warning: null };
    }
    // Without any known before, a run that replaced those of an earlier version did not come to note it.
    return adopt(client, known, known === null ? null : 'The key of the event triggers was another');
  }
  try {
    await replaceEventTriggers(client);
  } catch (error) {
    if (setup.state === 'broken') throw await explainSetupFailure(client, error, 'create its event triggers again');
    const warning = `The event triggers are of an earlier version and could not be replaced: ${(error as Error).message}. Until they are, each change of definitions ends the window`;
    return { signing: known, isNew: false, untold: null, warning };
  }
  return adopt(client, known, setup.state === 'broken' ? 'The event triggers were not as they were created' : null);
}

async function adopt(client: pg.Client, known: Signing | null, untold: string | null): Promise<FollowedDefinitions> {
  const key = await readKey(client);
  const since = String((await client.query(nextXidSql)).rows[0]?.next_xid);
  return { signing: { keys: [...(known?.keys ?? []), key], since }, isNew: true, untold, warning: null };
}

async function replaceEventTriggers(client: pg.Client): Promise<void> {
  await client.query('BEGIN READ WRITE');
  try {
    await client.query(dropEventTriggersSql);
    await client.query(createEventTriggersSql);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
