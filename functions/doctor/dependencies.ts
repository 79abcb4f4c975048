import { dynamodbClient, rdsClient, secretsManagerClient } from '../../shared/aws/clients.ts';
import { readEnvironment } from '../../shared/configuration/environment.ts';
import { loadConfiguration } from '../../shared/configuration/load.ts';
import type { Database } from '../../shared/configuration/runtime.ts';
import type { DoctorReport } from '../../shared/contract/schemas/doctor.ts';
import { examine } from '../../shared/doctor/examine.ts';
import { writeReport } from '../../shared/doctor/store.ts';
import { connectionTarget } from '../../shared/postgres/target.ts';
import { readRecovery } from '../../shared/state/recovery.ts';
import { openTable } from '../../shared/state/table.ts';

const environment = readEnvironment(['stateTable']);
const table = openTable(dynamodbClient(), environment.stateTable);

export const configuration = loadConfiguration();

/**
 * Examines a database and keeps the report, which health shows from then on.
 *
 * @param signal - ends the reading; what was not read by then is unknown
 * @throws the SDK's errors, when the State table cannot be used
 */
export async function examineAndKeep(database: Database, signal: AbortSignal): Promise<DoctorReport> {
  const recovery = await readRecovery(table, database.id);
  const clients = { secretsManager: secretsManagerClient() };
  const report = await examine(database, {
    target: connectionTarget(database, configuration.connections, clients, 'dbms doctor'),
    configuration,
    rds: rdsClient(),
    recovers: recovery !== null,
    signal,
  });
  await writeReport(table, report);
  return report;
}
