import type pg from 'pg';
import type { ErrorCode } from '../../core/errors/catalogue.ts';
import { OperationError } from '../../errors.ts';
import { isAnswer, isSessionLost, LOCK_NOT_AVAILABLE } from '../../postgres/session-errors.ts';
import { eventTriggerNames } from '../definitions/event-triggers.sql.ts';
import { otherEventTriggersSql, runningTransactionsSql } from './setup.sql.ts';

const QUERY_CANCELED = '57014';

/** Answers of a server to what it may not, or cannot, do now. */
const REFUSALS: Readonly<Record<string, readonly [code: ErrorCode, hint: string]>> = {
  '42501': ['rights_missing', 'Give the login the right that is named, and try again.'],
  '25006': ['server_read_only', 'Connect to the primary, and see that the server accepts writes.'],
  '53400': ['no_free_slot', 'Raise max_replication_slots and restart the server, or drop a slot that nobody reads.'],
  '53100': ['disk_full', 'Free space on the disk of the server, and try again.'],
  '55000': ['setup_refused', 'See wal_level and whether the server is the primary; GET recovery-window names it.'],
};

interface ServerError {
  code?: string;
  message?: string;
  where?: string;
}

/**
 * Says in words why a step of turning recovery on or off failed.
 *
 * @param client - the session of the step; it is asked which event triggers there are, while it can be
 * @param step - what was being done, as in "create the event triggers"
 * @returns what is no answer of the server, and no loss of the session, as it is
 */
export async function explainSetupFailure(client: pg.Client, error: unknown, step: string): Promise<unknown> {
  if (error instanceof OperationError) return error;
  if (isSessionLost(error)) {
    return new OperationError(
      'setup_interrupted',
      `The connection was lost while this system was about to ${step}: ${(error as Error).message}`,
      'Try again: what was begun is removed first.',
      { cause: error },
    );
  }
  if (!isAnswer(error)) return error;
  const { code = '', message = '', where = '' } = error as ServerError;
  const trigger = await eventTriggerIn(client, where);
  if (trigger !== null) {
    return new OperationError(
      'event_trigger_refused',
      `The event trigger ${trigger.name} of the database (on ${trigger.event}, function ${trigger.function}) did not let this system ${step}: ${message}`,
      `Let it pass the login of this system, or run ALTER EVENT TRIGGER ${trigger.name} DISABLE, try again, and enable it again.`,
      { cause: error },
    );
  }
  if (code === LOCK_NOT_AVAILABLE) {
    return new OperationError(
      'schema_locked',
      `Another session has a lock that is needed to ${step}: ${message}`,
      'See GET connections/details, wait for the other session or end it, and try again.',
      { cause: error },
    );
  }
  if (code === QUERY_CANCELED) {
    return new OperationError(
      'setup_interrupted',
      `The server ended what this system was doing to ${step}: ${message}`,
      'Try again: what was begun is removed first.',
      { cause: error },
    );
  }
  const [kind, hint] = REFUSALS[code] ?? ['setup_refused', 'Remove the cause that the server names, and try again.'];
  return new OperationError(kind, `The server did not let this system ${step}: ${message}`, hint, { cause: error });
}

interface EventTrigger {
  name: string;
  event: string;
  function: string;
  function_name: string;
}

/** The user's event trigger in whose function an error was raised; null: in none. */
async function eventTriggerIn(client: pg.Client, where: string): Promise<EventTrigger | null> {
  const functions = [...where.matchAll(/function (?:[^\s(]+\.)?([^\s(.]+)\(\)/g)].map(([, name]) => name);
  if (functions.length === 0) return null;
  try {
    const { rows } = await client.query<EventTrigger>(otherEventTriggersSql, [eventTriggerNames]);
    return (
      rows.find(({ function_name: name }) => functions.some((found) => found?.replaceAll('"', '') === name)) ?? null
    );
  } catch {
    return null;
  }
}

/** Whether the server gave up waiting, as it was told to: neither a person nor a lost client ended it before. */
export function isWaitOver(error: unknown, waitedMs: number, waitMs: number): boolean {
  const { code } = error as ServerError;
  return waitMs > 0 && (code === QUERY_CANCELED || code === LOCK_NOT_AVAILABLE) && waitedMs >= waitMs * 0.9;
}

/** Says that a slot cannot be created while others are in transactions, with the oldest of them. */
export async function transactionsRunning(client: pg.Client, waitMs: number): Promise<OperationError> {
  const { rows } = await client
    .query<{ name: string; since: Date; prepared: string | null }>(runningTransactionsSql)
    .catch(() => ({ rows: [] }));
  const named = rows.map(({ name, since }) => `${name} since ${since.toISOString()}`).join('; ');
  const prepared = rows.find((row) => row.prepared !== null);
  return new OperationError(
    'transactions_running',
    `Transactions that were running when the replication slot was to be created did not end within ${waitMs / 1000} s${named === '' ? '' : `; the oldest: ${named}`}`,
    prepared
      ? 'End the prepared transaction with COMMIT PREPARED or ROLLBACK PREPARED in its database, and try again.'
      : 'See the oldest in GET connections/details, end it or wait for it, and try again.',
  );
}
