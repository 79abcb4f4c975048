import type { Context } from 'aws-lambda';
import { dynamodbClient, kmsClient, s3Client } from '../shared/aws/clients.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { createLogger } from '../shared/http/log.ts';
import { chainOf } from '../shared/security/audit/chain-names.ts';
import { sealChain } from '../shared/security/audit/seal-chain.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['auditTable', 'auditBucket', 'archiveKeyArn', 'auditKeyArn']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.auditTable);
const store = { s3: s3Client(), bucket: environment.auditBucket, keyArn: environment.archiveKeyArn };
const logger = createLogger('seal-audit');

/** Left of the invocation's time for what is under way when it is over. */
const CLOSING_TIME_MS = 30_000;

/**
 * Archives what every audit trail has grown by, and signs where it ends; a rule calls it daily. One that fails does not hold up the
 * others.
 *
 * @throws Error naming the trails that failed
 */
export async function handler(_event: unknown, context: Pick<Context, 'getRemainingTimeInMillis'>): Promise<void> {
  const signal = AbortSignal.timeout(Math.max(1, context.getRemainingTimeInMillis() - CLOSING_TIME_MS));
  const signing = { kms: kmsClient(), keyArn: environment.auditKeyArn };
  const failed: string[] = [];
  for (const database of [...configuration.databases.map(({ id }) => id), null]) {
    const chain = chainOf(database);
    try {
      logger.info('The audit trail is sealed', {
        chain,
        ...(await sealChain(chain, { table, store, signing, signal })),
      });
    } catch (error) {
      failed.push(chain);
      logger.error('The audit trail could not be sealed', { chain, error });
    }
  }
  if (failed.length > 0) throw new Error(`Audit trails were not sealed: ${failed.join(', ')}; the log says why`);
}
