import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { type Bucket, listKeys } from '../listing.ts';

/** How S3 says that a backup's objects are copied. Keys of those that are not. */
export interface CopyStatus {
  waiting: string[];
  failed: string[];
}

/** Requests at a time. */
const AT_A_TIME = 20;

/** Asks S3 of each object below a prefix whether it is copied. @throws the SDK's errors */
export async function copyStatusBelow(bucket: Bucket, prefix: string): Promise<CopyStatus> {
  return copyStatusOf(bucket, await listKeys(bucket, prefix));
}

/** Asks S3 of some objects. One that is gone needs no copy. An object that no rule of replication has seen is waiting. */
export async function copyStatusOf({ s3, bucket }: Bucket, keys: readonly string[]): Promise<CopyStatus> {
  const found: CopyStatus = { waiting: [], failed: [] };
  const left = keys.values();
  const work = async (): Promise<void> => {
    for (const Key of left) {
      const status = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key })).then(
        ({ ReplicationStatus }) => ReplicationStatus ?? 'NONE',
        (error: Error) => {
          if (error.name === 'NotFound') return 'GONE';
          throw error;
        },
      );
      if (status === 'FAILED') found.failed.push(Key);
      else if (status === 'PENDING' || status === 'NONE') found.waiting.push(Key);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return found;
}
