import { ulid } from 'ulid';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { OperationError } from '../../errors.ts';
import { type ConnectionTarget, connect } from '../../postgres/connect.ts';
import { dropEventTriggersSql, eventTriggerNames, presentEventTriggersSql } from '../definitions/event-triggers.sql.ts';
import type { SlotRecord } from '../segments/description.ts';
import { checkSetup, type SetupPlace } from './check-setup.ts';
import { createEventTriggers } from './definition-triggers.ts';
import { ownSlotsSql } from './setup.sql.ts';
import { createSlot, dropSlot, slotName, slotPrefix } from './slot.ts';

export interface SetupDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  signal: AbortSignal;
  /** How long to wait for the transactions that are running, in milliseconds; by default without end. */
  waitMs?: number;
  /** By default a server of one's own. */
  place?: SetupPlace;
}

/**
 * Makes everything that capturing changes needs in the database: event triggers, where the server lets the login, and then the slot. The window
 * begins with the next full backup. What is there of an earlier time is removed first.
 *
 * @throws OperationError `recovery_impossible` with every problem, or `transactions_running`; nothing is left behind
 */
export async function turnOn(
  database: string,
  { target, store, signal, waitMs = 0, place }: SetupDependencies,
): Promise<SlotRecord> {
  // The server itself ends the wait: one that has lost its client would go on, and make a slot that nobody reads.
  const client = await connect(target, { kind: 'administering', statementTimeoutMs: waitMs });
  const stop = (): void => void client.end().catch(() => undefined);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const { problems, followsDefinitions: mayFollow } = await checkSetup(client, place);
    if (problems.length > 0) {
      throw new OperationError(
        'recovery_impossible',
        problems.map(({ message }) => message).join('; '),
        problems.map(({ nextStep }) => nextStep).join(' '),
      );
    }
    await removeAll(client, database);
    const followsDefinitions = mayFollow && (await createWhereAllowed(client));
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
    if (signal.aborted) throw signal.reason ?? error;
    throw (error as { code?: string }).code === QUERY_CANCELED ? transactionsRunning(waitMs) : error;
  } finally {
    signal.removeEventListener('abort', stop);
    await client.end().catch(() => undefined);
  }
}

/** The rights of a managed service are its own: the server may refuse what its documentation allows. */
async function createWhereAllowed(client: Awaited<ReturnType<typeof connect>>): Promise<boolean> {
  try {
    await createEventTriggers(client);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== INSUFFICIENT_PRIVILEGE) throw error;
    return false;
  }
}

const INSUFFICIENT_PRIVILEGE = '42501';
const QUERY_CANCELED = '57014';

function transactionsRunning(waitMs: number): OperationError {
  return new OperationError(
    'transactions_running',
    `Transactions that were running when the replication slot was to be made did not end within ${waitMs / 1000} s`,
    'See the oldest in GET connections/details, end it or wait for it, and try again.',
  );
}

/** Removes everything again. Stored changes stay in the bucket. Answers the names of the slots that were there. */
export async function turnOff(database: string, { target }: Pick<SetupDependencies, 'target'>): Promise<string[]> {
  const client = await connect(target, { kind: 'administering' });
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
