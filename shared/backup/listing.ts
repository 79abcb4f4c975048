import { ListObjectsV2Command, type ListObjectsV2CommandOutput, type S3Client } from '@aws-sdk/client-s3';
import { databaseIdSchema } from '../configuration/runtime.ts';
import { backupIdSchema } from '../contract/schemas/backup.ts';
import { backupPrefix } from './layout.ts';

export interface Bucket {
  s3: S3Client;
  bucket: string;
}

/** Pages of a listing, of a thousand names each: what others put into the bucket must not keep a run busy for ever. */
const MAX_PAGES = 200;

const DATABASES = 'databases/';

/** Ids of the databases of which there is something in the bucket, in order, configured or not. */
export async function listStoredDatabases(bucket: Bucket): Promise<string[]> {
  return idsBelow(bucket, DATABASES, (id) => databaseIdSchema.safeParse(id).success);
}

/**
 * Keys of all objects below a prefix, in order.
 *
 * @throws Error when there is no end of them
 */
export async function listKeys({ s3, bucket }: Bucket, prefix: string): Promise<string[]> {
  const found: string[] = [];
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer: ListObjectsV2CommandOutput = await s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...(token ? { ContinuationToken: token } : {}) }),
    );
    found.push(...(answer.Contents ?? []).flatMap(({ Key }) => Key ?? []));
    token = answer.NextContinuationToken;
    if (!token) return found;
  }
  throw new Error(`There are more than ${MAX_PAGES * 1000} objects below ${prefix}`);
}

/** Ids of the backups of which there is any object below their prefix, with a manifest or without, oldest first. */
export async function listStoredBackups(bucket: Bucket, database: string): Promise<string[]> {
  const prefix = backupPrefix(database, '').slice(0, -1);
  return idsBelow(bucket, prefix, (id) => backupIdSchema.safeParse(id).success, 'bkp-');
}

/** Names of the folders below a prefix that are ids; anything else there is not this system's. */
async function idsBelow(
  { s3, bucket }: Bucket,
  prefix: string,
  isId: (name: string) => boolean,
  begin = '',
): Promise<string[]> {
  const found: string[] = [];
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer: ListObjectsV2CommandOutput = await s3.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix + begin,
        Delimiter: '/',
        ...(token ? { ContinuationToken: token } : {}),
      }),
    );
    const names = (answer.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix.slice(prefix.length, -1));
    found.push(...names.filter(isId));
    token = answer.NextContinuationToken;
    if (!token) break;
  }
  return found;
}
