import type pg from 'pg';
import { ulid } from 'ulid';
import type { ObjectStore } from '../../backup/objects/object-store.ts';
import { OperationError } from '../../errors.ts';
import { type ConnectionTarget, connect } from '../../postgres/connect.ts';
import { withConnection } from '../../postgres/with-connection.ts';
import type { SlotRecord } from '../segments/description.ts';
import { checkSetup, type SetupPlace } from './check-setup.ts';
import { createEventTriggers } from './definition-triggers.ts';
import { explainSetupFailure, isWaitOver, transactionsRunning } from './explain-failure.ts';
import { type Removed, removeSetup } from './remove.ts';
import { createSlot, slotName, slotPrefix } from './slot.ts';

export interface SetupDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  signal: AbortSignal;
  /** How long to wait for the transactions that are running, in milliseconds; by default without end. */
  waitMs?: number;
  /** By default a server of one's own. */
  place?: SetupPlace;
  /** The name of the slot, by default a new one. */
  slot?: string;
}

/** For removing what a failure has left, in milliseconds. */
const UNDO_MS = 5_000;

/**
 * Makes everything that capturing changes needs in the database: event triggers, where the server lets the login, and then the slot. The window
 * begins with the next full backup. What is there of an earlier time is removed first.
 *
 * @throws OperationError `recovery_impossible` with every problem, `transactions_running`, `event_trigger_refused` or what else the
 *   server answered; nothing is left behind, or the message says what is
 */
export async function turnOn(
  database: string,
  { target, store, signal, waitMs = 0, place, slot = slotName(database, ulid()) }: SetupDependencies,
): Promise<SlotRecord> {
  const client = await connect(target, { kind: 'administering' });
  const stop = (): void => void client.end().catch(() => undefined);
  signal.addEventListener('abort', stop, { once: true });
  let isChanged = false;
  try {
    const { problems, followsDefinitions: mayFollow } = await checkSetup(client, place, slotPrefix(database));
    if (problems.length > 0) {
      throw new OperationError(
        'recovery_impossible',
        problems.map(({ message }) => message).join('; '),
        problems.map(({ nextStep }) => nextStep).join(' '),
      );
    }
    const { left } = await removeSetup(client, database);
    if (left.length > 0) throw stillThere(left);
    isChanged = true;
    const followsDefinitions = mayFollow && (await createWhereAllowed(client));
    return await createWaiting(client, store, { database, slot, followsDefinitions }, waitMs, signal);
  } catch (error) {
    const cause = signal.aborted ? (signal.reason ?? error) : error;
    throw isChanged ? await undo(database, target, cause) : cause;
  } finally {
    signal.removeEventListener('abort', stop);
    await client.end().catch(() => undefined);
  }
}

/**
 * The rights of a managed service are its own: the server may refuse what its documentation allows, and nobody could give the right.
 *
 * @returns whether the event triggers are there
 */
async function createWhereAllowed(client: pg.Client): Promise<boolean> {
  try {
    await createEventTriggers(client);
    return true;
  } catch (error) {
    const failure = await explainSetupFailure(client, error, 'create its event triggers');
    if (failure instanceof OperationError && failure.code === 'rights_missing') return false;
    throw failure;
  }
}

/** The server itself ends the wait: one that has lost its client would go on, and make a slot that nobody reads. A lock is no shorter wait. */
async function createWaiting(
  client: pg.Client,
  store: ObjectStore,
  of: { database: string; slot: string; followsDefinitions: boolean },
  waitMs: number,
  signal: AbortSignal,
): Promise<SlotRecord> {
  await client.query(
    `SELECT pg_catalog.set_config('statement_timeout', $1, false), pg_catalog.set_config('lock_timeout', '0', false)`,
    [String(waitMs)],
  );
  const began = performance.now();
  try {
    return await createSlot(client, store, of, signal);
  } catch (error) {
    if (isWaitOver(error, performance.now() - began, waitMs)) throw await transactionsRunning(client, waitMs);
    throw await explainSetupFailure(client, error, 'create the replication slot');
  }
}

/** Removes what was made before a failure, over another connection, as its own may be lost. @returns the failure, with what is left */
async function undo(database: string, target: ConnectionTarget, cause: unknown): Promise<unknown> {
  let left: string;
  try {
    const removed = await turnOff(database, { target }, UNDO_MS);
    if (removed.left.length === 0) return cause;
    left = removed.left.map(({ message }) => message).join('; ');
  } catch (error) {
    left = `what was begun could not be removed: ${(error as Error).message}`;
  }
  if (!(cause instanceof OperationError)) return cause;
  return new OperationError(
    cause.code,
    `${cause.message}. Something may be left on the server: ${left}`,
    `${cause.nextStep} PUT recovery with {"enabled": false} removes what is left.`,
    { cause },
  );
}

function stillThere(left: Removed['left']): OperationError {
  const [first] = left;
  return new OperationError(
    'setup_refused',
    `What an earlier time has left in the database could not be removed: ${left.map(({ message }) => message).join('; ')}`,
    first?.nextStep ?? '',
  );
}

/**
 * Removes everything again. Stored changes stay in the bucket.
 *
 * @returns the slots that were there, and what the server did not let go
 * @throws OperationError `slot_not_dropped` when nothing was removed, or one of the connection; to be repeated
 */
export function turnOff(
  database: string,
  { target }: Pick<SetupDependencies, 'target'>,
  statementTimeoutMs?: number,
): Promise<Removed> {
  const limits = statementTimeoutMs === undefined ? {} : { statementTimeoutMs };
  return withConnection(target, { kind: 'administering', ...limits }, (client) => removeSetup(client, database));
}
