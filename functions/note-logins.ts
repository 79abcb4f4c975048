import { dynamodbClient, secretsManagerClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { readWatch } from '../shared/health/sample-store.ts';
import { createLogger } from '../shared/http/log.ts';
import { monitoringTarget } from '../shared/postgres/target.ts';
import { withConnection } from '../shared/postgres/with-connection.ts';
import { noteSightings } from '../shared/security/access/sightings.ts';
import { openTable } from '../shared/state/table.ts';

const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), readEnvironment(['stateTable']).stateTable);
const logger = createLogger('note-logins');

const LOOK_MS = 10_000;

/**
 * Notes which logins of each configured server have a session; a schedule calls it every ten minutes. One server that fails does not
 * hold up the others.
 *
 * @throws Error naming the databases that failed
 */
export async function handler(): Promise<void> {
  const failed: string[] = [];
  for (const database of configuration.databases) {
    const clients = { secretsManager: secretsManagerClient() };
    const target = monitoringTarget(database, configuration.connections, clients, 'dbms logins');
    try {
      // One that is left alone so that it can pause is not woken for this.
      if (database.allow_pause && (await readWatch(table, database.id)).suspended) continue;
      await withConnection(target, { kind: 'monitoring', statementTimeoutMs: LOOK_MS }, (client) =>
        noteSightings(client, table, database.id),
      );
    } catch (error) {
      failed.push(database.id);
      logger.error('Logins could not be looked at', { database: database.id, error });
    }
  }
  if (failed.length > 0) throw new Error(`Logins were not looked at: ${failed.join(', ')}; the log says why`);
}
