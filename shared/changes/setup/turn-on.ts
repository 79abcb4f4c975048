import { ulid } from 'ulid';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { OperationError } from '../../errors.ts';
import { type ConnectionTarget, connect } from '../../postgres/connect.ts';
import {
  createEventTriggersSql,
  dropEventTriggersSql,
  eventTriggerNames,
  presentEventTriggersSql,
} from '../definitions/event-triggers.sql.ts';
import type { SlotRecord } from '../segments/description.ts';
import { checkSetup } from './check-setup.ts';
import { ownSlotsSql } from './setup.sql.ts';
import { createSlot, dropSlot, slotName, slotPrefix } from './slot.ts';

export interface SetupDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  signal: AbortSignal;
}

/**
 * Makes everything that capturing changes needs in the database: event triggers, where the login may, and then the slot. The window
 * begins with the next full backup. What is there of an earlier time is removed first.
 *
 * @throws OperationError `recovery_impossible` with every problem; nothing is left behind
 */
export async function turnOn(database: string, { target, store, signal }: SetupDependencies): Promise<SlotRecord> {
  // Making the slot waits for every transaction that is running; the caller's signal is the limit.
  const client = await connect(target, { statementTimeoutMs: 0 });
  const stop = (): void => void client.end().catch(() => undefined);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const { problems, followsDefinitions } = await checkSetup(client);
    if (problems.length > 0) {
      throw new OperationError(
        'recovery_impossible',
        problems.map(({ message }) => message).join('; '),
        problems.map(({ nextStep }) => nextStep).join(' '),
      );
    }
    await removeAll(client, database);
    if (followsDefinitions) await client.query(createEventTriggersSql);
    try {
      return await createSlot(
        client,
        store,
        { database, slot: slotName(database, ulid()), followsDefinitions },
        signal,
      );
    } catch (error) {
      if (followsDefinitions) await client.query(dropEventTriggersSql).catch(() => undefined);
      throw error;
    }
  } catch (error) {
    throw signal.aborted ? (signal.reason ?? error) : error;
  } finally {
    signal.removeEventListener('abort', stop);
    await client.end().catch(() => undefined);
  }
}

/** Removes everything again. Stored changes stay in the bucket. Answers the names of the slots that were there. */
export async function turnOff(database: string, { target }: Pick<SetupDependencies, 'target'>): Promise<string[]> {
  const client = await connect(target);
  try {
    return await removeAll(client, database);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function removeAll(client: Awaited<ReturnType<typeof connect>>, database: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(ownSlotsSql, [slotPrefix(database)]);
  for (const { name } of rows) await dropSlot(client, name);
  const { rows: triggers } = await client.query(presentEventTriggersSql, [eventTriggerNames]);
  if (triggers.length > 0) await client.query(dropEventTriggersSql);
  return rows.map(({ name }) => name);
}
