import { Aws } from 'aws-cdk-lib';
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

/** Where a service uses a key in the name of the caller, and for nothing that the caller asks of KMS itself. */
export const throughService = (service: string) => ({ 'kms:ViaService': `${service}.${Aws.REGION}.${Aws.URL_SUFFIX}` });

/** S3's own use of a key, for the objects of one bucket: with bucket keys its encryption context is the bucket, without the object. */
const forObjectsOf = ({ bucketArn }: AnyBucket) => ({
  StringEquals: throughService('s3'),
  StringLike: { 'kms:EncryptionContext:aws:s3:arn': [bucketArn, `${bucketArn}/*`] },
});

/** Lets S3 encrypt and decrypt what the caller stores in a bucket. S3 itself decrypts when it joins the parts of an upload. */
export const storeThroughS3 = (bucket: AnyBucket, key: kms.IKey) =>
  allow(['kms:GenerateDataKey', 'kms:Decrypt'], [key.keyArn], forObjectsOf(bucket));

/** Lets S3 decrypt what the caller reads from a bucket. */
export const readThroughS3 = (bucket: AnyBucket, { encryptionKey: key }: { encryptionKey: kms.IKey }) =>
  allow(['kms:Decrypt'], [key.keyArn], forObjectsOf(bucket));

/** Uses a key for what this system encrypts itself, of one kind: that with this name in its encryption context. */
export const sealed = (actions: readonly string[], key: kms.IKey, name: 'database' | 'audit') =>
  allow(actions, [key.keyArn], { Null: { [`kms:EncryptionContext:${name}`]: 'false' } });

/**
 * Decrypts what is stored of databases in a bucket: under the key of the backups, and, in a bucket of copies, under the key with which S3
 * encrypts those. Neither opens what else that key has encrypted, such as the masking key or former audit archives.
 */
export const decrypt = (bucket: AnyBucket, key: kms.IKey) => [
  sealed(['kms:Decrypt'], key, 'database'),
  readThroughS3(bucket, { encryptionKey: bucket.encryptionKey ?? key }),
];

/** Encrypts what is stored of databases in a bucket. */
export const encrypt = (bucket: AnyBucket, key: kms.IKey) => [
  sealed(['kms:GenerateDataKey'], key, 'database'),
  storeThroughS3(bucket, bucket.encryptionKey ?? key),
];
