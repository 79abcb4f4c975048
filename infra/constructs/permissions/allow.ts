import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as s3 from 'aws-cdk-lib/aws-s3';

/** A bucket of this deployment, or one that was there before it. */
export type AnyBucket = Pick<s3.IBucket, 'bucketName' | 'bucketArn' | 'arnForObjects'> & {
  readonly encryptionKey?: kms.IKey | undefined;
};

/** Lets do something with resources. */
export const allow = (actions: readonly string[], resources: readonly string[], conditions?: Record<string, unknown>) =>
  new iam.PolicyStatement({ actions: [...actions], resources: [...resources], ...(conditions ? { conditions } : {}) });

/**
 * Lists objects below some paths, and so is told that one is missing: to whoever may not list, S3 says of a missing object that access
 * is denied, which looks like a fault of this system's rights. `IfExists`, because S3 asks for the right to list also where an object
 * is read that is not there, and such a request has no prefix.
 */
export const listAndMiss = (bucket: AnyBucket, paths: string) =>
  allow(['s3:ListBucket'], [bucket.bucketArn], { StringLikeIfExists: { 's3:prefix': paths } });

/**
 * Decrypts what lies in a bucket: under the key of the backups, and, in a bucket of copies, under the key with which S3 encrypts those.
 */
export const decrypt = (bucket: AnyBucket, key: kms.IKey) => {
  const { encryptionKey = key } = bucket;
  return allow(['kms:Decrypt'], [...new Set([key.keyArn, encryptionKey.keyArn])]);
};
