import type pg from 'pg';
import { OperationError } from '../../errors.ts';

const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * Lets event triggers fire for what a session does in a database that others use: those of point-in-time recovery must tell of it. The login of
 * docs/logins has them off, so that none fires when it logs in.
 *
 * @throws OperationError `event_triggers_off` where the login may not turn them on
 */
export async function fireEventTriggers(client: pg.Client): Promise<void> {
  try {
    await client.query(
      "SELECT pg_catalog.set_config(name, 'on', false) FROM pg_catalog.pg_settings WHERE name = 'event_triggers' AND setting = 'off'",
    );
  } catch (error) {
    if ((error as { code?: string }).code !== INSUFFICIENT_PRIVILEGE) throw error;
    throw new OperationError(
      'event_triggers_off',
      'Event triggers are off for the login, and it may not turn them on: what is created would be missing in what point-in-time recovery captures',
      'Run GRANT SET ON PARAMETER event_triggers TO the login as a superuser.',
      { cause: error },
    );
  }
}
