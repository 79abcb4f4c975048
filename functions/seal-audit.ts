import type { Context } from 'aws-lambda';
import { dynamodbClient, kmsClient, s3Client } from '../shared/aws/clients.ts';
import { serviceClock } from '../shared/aws/service-clock.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { createLogger } from '../shared/http/log.ts';
import { createSealer } from '../shared/security/audit/seal-chains.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['auditTable', 'auditBucket', 'archiveKeyArn', 'auditKeyArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.auditTable);
const logger = createLogger('seal-audit');
const seal = createSealer({
  databases: configuration.databases.map(({ id }) => id),
  table,
  store: { s3: s3Client(), bucket: environment.auditBucket, keyArn: environment.archiveKeyArn },
  signing: { kms: kmsClient(), keyArn: environment.auditKeyArn },
  clock: serviceClock(table.documents),
  onSealed: (chain, report) => logger.info('The audit trail is sealed', { chain, ...report }),
  onFailed: (chain, error) => logger.error('The audit trail could not be sealed', { chain, error }),
});

/** Left of the invocation's time for what is under way when it is over. */
const CLOSING_TIME_MS = 30_000;

/**
 * Archives what every audit trail has grown by and signs where it ends, where that is due; a rule calls it every few minutes. One that fails does
 * not hold up the others.
 *
 * @throws Error naming the trails that failed
 */
export async function handler(_event: unknown, context: Pick<Context, 'getRemainingTimeInMillis'>): Promise<void> {
  const failed = await seal(AbortSignal.timeout(Math.max(1, context.getRemainingTimeInMillis() - CLOSING_TIME_MS)));
  if (failed.length > 0) throw new Error(`Audit trails were not sealed: ${failed.join(', ')}; the log says why`);
}
