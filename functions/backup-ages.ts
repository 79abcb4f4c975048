import { cloudwatchClient, dynamodbClient } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { type BackupAges, publishBackupAges } from '../shared/health/backup-ages.ts';
import { createLogger } from '../shared/http/log.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'metricNamespace']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const logger = createLogger('backup-ages');

/**
 * Publishes how old the newest backups of every configured database are; a schedule calls it hourly. One database that fails does
 * not hold up the others.
 *
 * @throws Error naming the databases that failed
 */
export async function handler(): Promise<Record<string, BackupAges>> {
  const published: Record<string, BackupAges> = {};
  const failed: string[] = [];
  for (const { id } of configuration.databases) {
    try {
      const metrics = { table, cloudwatch: cloudwatchClient(), namespace: environment.metricNamespace };
      published[id] = await publishBackupAges(id, metrics);
    } catch (error) {
      failed.push(id);
      logger.error('The ages of the backups could not be published', { database: id, error });
    }
  }
  if (failed.length > 0) throw new Error(`Ages were not published: ${failed.join(', ')}; the log says why`);
  return published;
}
