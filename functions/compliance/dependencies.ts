import { dynamodbClient, kmsClient, rdsClient, s3Client, secretsManagerClient } from '../../shared/aws/clients.ts';
import { serviceClock } from '../../shared/aws/service-clock.ts';
import { readEnvironment } from '../../shared/configuration/environment.ts';
import { loadConfiguration } from '../../shared/configuration/load.ts';
import type { Database } from '../../shared/configuration/runtime.ts';
import { monitoringTarget } from '../../shared/postgres/target.ts';
import { effectiveSchedules, takesFullBackups } from '../../shared/schedules/effective.ts';
import { chainOf } from '../../shared/security/audit/chain-names.ts';
import { openArchive } from '../../shared/security/audit/open-archive.ts';
import { readPublicKey } from '../../shared/security/audit/signature.ts';
import { verifyChain } from '../../shared/security/audit/verify-chain.ts';
import type { ReadDependencies } from '../../shared/security/compliance/readings/read-sections.ts';
import type { AuditReading } from '../../shared/security/compliance/readings/sections.ts';
import { createScheduleStore } from '../../shared/state/schedules.ts';
import { openTable } from '../../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'auditTable', 'auditKeyArn', 'backupBucket', 'backupKeyArn']);

export const configuration = loadConfiguration();
export const table = openTable(dynamodbClient(), environment.stateTable);
const schedules = createScheduleStore(table);

/** What the functions of compliance read with. @param signal - ends the reading */
export function readDependencies(database: Database, signal: AbortSignal): ReadDependencies {
  const secretsManager = secretsManagerClient();
  return {
    target: monitoringTarget(database, configuration.connections, { secretsManager }, 'dbms compliance'),
    table,
    configuration,
    hasSchedule: async () => takesFullBackups(effectiveSchedules(configuration, await schedules.read(database.id))),
    bucket: environment.backupBucket,
    keyArn: environment.backupKeyArn,
    clients: { s3: s3Client(), kms: kmsClient(), secretsManager, rds: rdsClient() },
    verifyAudit: () => verifyLatest(database.id, signal),
    signal,
  };
}

/** The whole chain has a route of its own; here the latest part is walked over. */
const VERIFIED_MS = 86_400_000;
const WALK_MS = 10_000;

async function verifyLatest(database: string, signal: AbortSignal): Promise<AuditReading> {
  const publicKey = await readPublicKey({ kms: kmsClient(), keyArn: environment.auditKeyArn });
  const auditTable = openTable(dynamodbClient(), environment.auditTable);
  const now = serviceClock(auditTable.documents)();
  const { intact, records, broken, sealing } = await verifyChain(
    chainOf(database),
    { from: new Date(now.getTime() - VERIFIED_MS).toISOString() },
    {
      table: auditTable,
      now,
      store: openArchive(),
      publicKey,
      timeIsOver: AbortSignal.timeout(WALK_MS),
      signal,
    },
  );
  const found = broken?.message ?? `${records} records of the last day`;
  const sealed = `sealed last at ${sealing.last_seal_at ?? 'no time at all'}`;
  return { intact, isSealed: !sealing.overdue, found: sealing.overdue ? `${found}, ${sealed}` : found };
}
