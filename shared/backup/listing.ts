import { ListObjectsV2Command, type ListObjectsV2CommandOutput, type S3Client } from '@aws-sdk/client-s3';
import { databaseIdSchema } from '../configuration/runtime.ts';
import { backupIdSchema } from '../contract/schemas/backup.ts';
import { OperationError } from '../errors.ts';
import { backupPrefix } from './layout.ts';

export interface Bucket {
  s3: S3Client;
  bucket: string;
}

/**
 * Pages of a listing, of a thousand names each: what others put into the bucket must not keep a run busy for ever. Of changes that
 * are captured each minute these are the objects of more than four years.
 */
const MAX_PAGES = 5000;

const DATABASES = 'databases/';

/**
 * The pages of a listing to its end, in the order of the names.
 *
 * @param how - `StartAfter`: only names after this one; `Delimiter`: what goes on after it is named once, as a folder
 * @throws OperationError `listing_too_long` when there is no end of them: what was listed until then is not all
 */
export async function* listPages(
  { s3, bucket }: Bucket,
  prefix: string,
  how: { StartAfter?: string; Delimiter?: string } = {},
  maxPages = MAX_PAGES,
): AsyncGenerator<Pick<ListObjectsV2CommandOutput, 'Contents' | 'CommonPrefixes'>> {
  let token: string | undefined;
  for (let page = 0; page < maxPages; page++) {
    const answer: ListObjectsV2CommandOutput = await s3.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        ...how,
        ...(token ? { ContinuationToken: token } : {}),
      }),
    );
    yield answer;
    token = answer.NextContinuationToken;
    if (!token) return;
  }
  throw new OperationError(
    'listing_too_long',
    `There are more than ${maxPages * 1000} names below ${prefix} in the bucket`,
    'Remove what this system has not put there; then try again.',
  );
}

/** Ids of the databases of which there is something in the bucket, in order, configured or not. */
export async function listStoredDatabases(bucket: Bucket): Promise<string[]> {
  return idsBelow(bucket, DATABASES, (id) => databaseIdSchema.safeParse(id).success);
}

/**
 * Keys of all objects below a prefix, in order.
 *
 * @throws OperationError as {@link listPages}; likewise below
 */
export async function listKeys(bucket: Bucket, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { Contents = [] } of listPages(bucket, prefix))
    found.push(...Contents.flatMap(({ Key }) => Key ?? []));
  return found;
}

/** Ids of the backups of which there is any object below their prefix, with a manifest or without, oldest first. */
export async function listStoredBackups(bucket: Bucket, database: string): Promise<string[]> {
  const prefix = backupPrefix(database, '').slice(0, -1);
  return idsBelow(bucket, prefix, (id) => backupIdSchema.safeParse(id).success, 'bkp-');
}

/** Names of the folders below a prefix that are ids; anything else there is not this system's. */
async function idsBelow(
  bucket: Bucket,
  prefix: string,
  isId: (name: string) => boolean,
  begin = '',
): Promise<string[]> {
  const found: string[] = [];
  for await (const { CommonPrefixes = [] } of listPages(bucket, prefix + begin, { Delimiter: '/' })) {
    found.push(...CommonPrefixes.map(({ Prefix = '' }) => Prefix.slice(prefix.length, -1)).filter(isId));
  }
  return found;
}
