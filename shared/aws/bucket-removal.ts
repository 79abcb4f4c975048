import { GetBucketTaggingCommand, type S3Client } from '@aws-sdk/client-s3';
import * as z from 'zod';
import { type Emptied, emptyBucket } from './empty-bucket.ts';

/**
 * Tag of a bucket that is emptied before it is deleted. A deployment that no longer asks for that takes the tag away first, so its
 * bucket is left alone when CloudFormation then removes what would have emptied it.
 */
export const EMPTIED_ON_REMOVAL = { key: 'emptied-on-removal', value: 'true' } as const;

/** What CloudFormation asks of a custom resource, as far as it matters here. */
export const resourceEventSchema = z.object({
  RequestType: z.enum(['Create', 'Update', 'Delete']),
  ResponseURL: z.url(),
  StackId: z.string(),
  RequestId: z.string(),
  LogicalResourceId: z.string(),
  PhysicalResourceId: z.string().optional(),
  ResourceProperties: z.object({ BucketName: z.string() }),
});
export type ResourceEvent = z.output<typeof resourceEventSchema>;

export interface RemovalAnswer {
  Status: 'SUCCESS' | 'FAILED';
  Reason: string;
  emptied?: Emptied;
}

/**
 * Empties a bucket that CloudFormation is about to delete. While something is left in it the answer is `FAILED`, in words that
 * CloudFormation shows: else the deletion of the bucket would fail, which says only that it is not empty.
 */
export async function answerRemoval(
  s3: S3Client,
  { RequestType, ResourceProperties: { BucketName } }: ResourceEvent,
  timeIsOver: AbortSignal,
): Promise<RemovalAnswer> {
  if (RequestType !== 'Delete') return { Status: 'SUCCESS', Reason: 'Nothing to do before the removal' };
  try {
    if (!(await isToBeEmptied(s3, BucketName)))
      return {
        Status: 'SUCCESS',
        Reason: `The bucket ${BucketName} is kept as it is: it has not the tag ${EMPTIED_ON_REMOVAL.key}`,
      };
    const emptied = await emptyBucket(s3, BucketName, timeIsOver);
    return { ...judge(BucketName, emptied), emptied };
  } catch (error) {
    const { name, message } = error as Error;
    if (name === 'NoSuchBucket') return { Status: 'SUCCESS', Reason: `There is no bucket ${BucketName} any more` };
    return { Status: 'FAILED', Reason: `The bucket ${BucketName} could not be emptied: ${name}: ${message}` };
  }
}

function judge(bucket: string, { done, deleted, kept, reason, lockedUntil }: Emptied): RemovalAnswer {
  const gone = `${deleted} versions are deleted`;
  if (!done) {
    return {
      Status: 'FAILED',
      Reason: `The bucket ${bucket} holds more than one run can delete; ${gone}. Delete the stack again to go on.`,
    };
  }
  if (kept === 0) return { Status: 'SUCCESS', Reason: `The bucket ${bucket} is empty; ${gone}` };
  const why = lockedUntil
    ? `object lock keeps ${kept}, the last until ${lockedUntil.toISOString()}. Delete the stack again after that,`
    : `S3 keeps ${kept} (${reason}). Delete the stack again once it does not,`;
  return {
    Status: 'FAILED',
    Reason: `The bucket ${bucket} is not empty: ${gone}, and ${why} or now with --deletion-mode FORCE_DELETE_STACK, which leaves the bucket.`,
  };
}

async function isToBeEmptied(s3: S3Client, Bucket: string): Promise<boolean> {
  const { TagSet = [] } = await s3.send(new GetBucketTaggingCommand({ Bucket })).catch((error: Error) => {
    if (error.name === 'NoSuchTagSet') return { TagSet: [] };
    throw error;
  });
  return TagSet.some(({ Key, Value }) => Key === EMPTIED_ON_REMOVAL.key && Value === EMPTIED_ON_REMOVAL.value);
}
