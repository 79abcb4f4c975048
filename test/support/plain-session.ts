import pg from 'pg';
import type { ConnectionTarget } from '../../shared/postgres/connect.ts';

/**
 * A session of a test's own, as any client of the server opens one: with the settings that the server, the database and the login give
 * it, `public` on its search path among them. The caller ends it.
 */
export async function plainSession(target: ConnectionTarget, database = target.database): Promise<pg.Client> {
  const { host, port, applicationName: application_name } = target;
  const { user, password } = await target.credentials();
  const login = { user, ...(password === null ? {} : { password }) };
  const client = new pg.Client({ host, port, database, application_name, ...login });
  // A connection that the server ends reports it as an event.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
