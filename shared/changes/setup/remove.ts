import type pg from 'pg';
import type { Finding } from '../../backup/restore/findings.ts';
import { OperationError } from '../../errors.ts';
import { CHANGES_SCHEMA } from '../../postgres/own-schema.ts';
import { isSessionLost } from '../../postgres/session-errors.ts';
import {
  dropChangesSchemaSql,
  dropOnlyTriggersSql,
  eventTriggerNames,
  presentEventTriggersSql,
} from '../definitions/event-triggers.sql.ts';
import { explainSetupFailure } from './explain-failure.ts';
import { changesSchemaSql, ownSlotsSql } from './setup.sql.ts';
import { dropSlot, slotPrefix } from './slot.ts';

/** What was removed, and what could not be. */
export interface Removed {
  /** Names of the slots that were there. */
  slots: string[];
  /** Event triggers or their schema, which the server did not let go, each with the statement that does it. */
  left: Finding[];
}

/**
 * Removes the slots, then the event triggers, then their schema. The slots go first: while one cannot be dropped, nothing else is, so that
 * it is all there still. A DROP EVENT TRIGGER fires no event triggers of others; the drop of the schema does, and may be refused by one.
 *
 * @throws OperationError `slot_not_dropped`, or `setup_interrupted` when the session was lost on the way; to be repeated
 */
export async function removeSetup(client: pg.Client, database: string): Promise<Removed> {
  const { rows } = await client.query<{ name: string }>(ownSlotsSql, [slotPrefix(database)]);
  for (const { name } of rows) await dropOrSay(client, name);
  const left: Finding[] = [];
  const attempt = async (step: string, sql: string, remedy: string): Promise<void> => {
    try {
      await client.query(sql);
    } catch (error) {
      const why = await explainSetupFailure(client, error, step);
      if (isSessionLost(error) || !(why instanceof OperationError)) throw why;
      const nextStep = `${why.nextStep} Then repeat the request, or run ${remedy}.`;
      left.push({ code: 'left_on_server', message: why.message, nextStep });
    }
  };
  const { rows: triggers } = await client.query<{ name: string }>(presentEventTriggersSql, [eventTriggerNames]);
  if (triggers.length > 0) {
    const remedy = triggers.map(({ name }) => `DROP EVENT TRIGGER ${name}`).join('; ');
    await attempt('drop its event triggers', dropOnlyTriggersSql, remedy);
  }
  // The schema holds the function of the event triggers: a CASCADE would try to drop those that are left.
  if (left.length === 0 && (await hasSchema(client))) {
    await attempt('drop its schema', dropChangesSchemaSql, `DROP SCHEMA ${CHANGES_SCHEMA} CASCADE`);
  }
  return { slots: rows.map(({ name }) => name), left };
}

/** Says what is on the server of a database whose changes are not captured. */
export async function findLeftovers(client: pg.Client, database: string): Promise<Finding[]> {
  const { rows: slots } = await client.query<{ name: string }>(ownSlotsSql, [slotPrefix(database)]);
  const { rows: triggers } = await client.query<{ name: string }>(presentEventTriggersSql, [eventTriggerNames]);
  const found = (what: string, nextStep: string): Finding => ({ code: 'left_on_server', message: what, nextStep });
  const again = 'PUT recovery with {"enabled": false} removes it.';
  return [
    ...slots.map(({ name }) =>
      found(`The replication slot ${name} of this system is on the server, which keeps WAL for it`, again),
    ),
    ...(triggers.length > 0
      ? [
          found(
            `Event triggers of this system are in the database: ${triggers.map(({ name }) => name).join(', ')}`,
            again,
          ),
        ]
      : []),
    ...(triggers.length === 0 && (await hasSchema(client))
      ? [found(`The schema ${CHANGES_SCHEMA} of this system is in the database; nothing uses it`, again)]
      : []),
  ];
}

async function hasSchema(client: pg.Client): Promise<boolean> {
  return (await client.query(changesSchemaSql)).rows.length > 0;
}

async function dropOrSay(client: pg.Client, slot: string): Promise<void> {
  try {
    await dropSlot(client, slot);
  } catch (error) {
    const why = await explainSetupFailure(client, error, `drop the replication slot ${slot}`);
    if (isSessionLost(error) || !(why instanceof OperationError)) throw why;
    throw new OperationError(
      'slot_not_dropped',
      `${why.message}. Nothing else was removed, and the server keeps WAL for the slot`,
      `End the session that reads it, then try again, or run SELECT pg_drop_replication_slot('${slot}').`,
      { cause: error },
    );
  }
}
