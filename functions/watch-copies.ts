import * as z from 'zod';
import { dynamodbClient, s3Client } from '../shared/aws/clients.ts';
import { noteFailedCopies, watchCopies } from '../shared/backup/copies/watch-copies.ts';
import { readEnvironment } from '../shared/configuration/environment.ts';
import { loadConfiguration } from '../shared/configuration/load.ts';
import { createLogger } from '../shared/http/log.ts';
import { openTable } from '../shared/state/table.ts';

const environment = readEnvironment(['stateTable', 'backupBucket']);
const configuration = loadConfiguration();
const table = openTable(dynamodbClient(), environment.stateTable);
const bucket = { s3: s3Client(), bucket: environment.backupBucket };
const logger = createLogger('watch-copies');

/** What SNS hands over of S3's notifications; the first one that S3 sends of all is a test, without records. */
const toldSchema = z.object({ Records: z.array(z.object({ Sns: z.object({ Message: z.string() }) })) });
const messageSchema = z.object({
  Records: z
    .array(z.object({ eventName: z.string(), s3: z.object({ object: z.object({ key: z.string() }) }) }))
    .default([]),
});

/** S3 encodes keys in events as in the query of an address. */
const decodeKey = (key: string): string => decodeURIComponent(key.replaceAll('+', ' '));

/**
 * Looks hourly how far the copies in the second region have come, and notes what S3 tells in between that it could not copy. One
 * database that fails does not hold up the others.
 *
 * @throws Error naming the databases that failed
 */
export async function handler(event: unknown): Promise<void> {
  const told = toldSchema.safeParse(event);
  if (told.success) {
    const records = told.data.Records.flatMap(({ Sns }) => messageSchema.parse(JSON.parse(Sns.Message)).Records);
    for (const { eventName, s3 } of records)
      logger.error('S3 did not copy an object in time', { eventName, key: s3.object.key });
    await noteFailedCopies(
      table,
      records.map(({ s3 }) => decodeKey(s3.object.key)),
    );
    return;
  }
  const failed: string[] = [];
  for (const { id } of configuration.databases) {
    try {
      const { copied, waiting_since, failed: keys } = await watchCopies(id, { table, bucket });
      logger[keys.length > 0 ? 'error' : 'info']('Copies looked at', {
        ...{ database: id, copied: copied.length, waiting_since, failed: keys.length },
      });
    } catch (error) {
      failed.push(id);
      logger.error('Copies could not be looked at', { database: id, error });
    }
  }
  if (failed.length > 0) throw new Error(`Copies could not be looked at: ${failed.join(', ')}; the log says why`);
}
