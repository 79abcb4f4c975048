import {
  GetObjectRetentionCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { MANIFEST } from './layout.ts';
import type { Bucket } from './listing.ts';

/** What S3 says of a manifest, and what time it was when it said so. */
export interface StoredManifest {
  /** When it was stored; null when there is none. */
  storedAt: Date | null;
  /** How long object lock keeps it; null when it is not locked. As the last object of a backup it is locked the longest. */
  lockedUntil: Date | null;
  /** S3's own clock: ages go by it, as that of any one machine may be wrong. */
  now: Date;
}

/**
 * Asks S3 about a backup's manifest, without a right to read it.
 *
 * @param prefix - ends with a slash; see `backupPrefix`
 */
export async function inspectManifest({ s3, bucket }: Bucket, prefix: string): Promise<StoredManifest> {
  const { Contents = [], now } = await listWithTime(s3, { Bucket: bucket, Prefix: prefix + MANIFEST, MaxKeys: 1 });
  const found = Contents.find(({ Key }) => Key === prefix + MANIFEST);
  if (!found?.LastModified) return { storedAt: null, lockedUntil: null, now };
  const until = await lockOf({ s3, bucket }, prefix + MANIFEST);
  return { storedAt: found.LastModified, lockedUntil: until && until > now ? until : null, now };
}

/** What time it is by S3's clock, to the second. */
export async function readClock({ s3, bucket }: Bucket): Promise<Date> {
  return (await listWithTime(s3, { Bucket: bucket, Prefix: 'databases/', MaxKeys: 1 })).now;
}

const NOT_LOCKED = new Set(['NoSuchObjectLockConfiguration', 'ObjectLockConfigurationNotFoundError', 'NoSuchKey']);

async function lockOf({ s3, bucket }: Bucket, key: string): Promise<Date | null> {
  try {
    const { Retention } = await s3.send(new GetObjectRetentionCommand({ Bucket: bucket, Key: key }));
    return Retention?.RetainUntilDate ?? null;
  } catch (error) {
    const { name, message } = error as Error;
    // A bucket that was made without object lock says so in this way.
    if (NOT_LOCKED.has(name) || (name === 'InvalidRequest' && /Object Lock/i.test(message))) return null;
    throw error;
  }
}

/** A listing, with the time that the answer was made. */
async function listWithTime(
  s3: S3Client,
  input: ConstructorParameters<typeof ListObjectsV2Command>[0],
): Promise<ListObjectsV2CommandOutput & { now: Date }> {
  const command = new ListObjectsV2Command(input);
  let date: string | undefined;
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      date = (result.response as { headers?: Record<string, string> }).headers?.date;
      return result;
    },
    { step: 'deserialize', name: 'readDate' },
  );
  const answer = await s3.send(command);
  const now = new Date(date ?? Number.NaN);
  if (Number.isNaN(now.getTime())) throw new Error('S3 answered without its time');
  return { ...answer, now };
}
