import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import { MANIFEST, SCHEMA, WORK } from '../../../shared/backup/layout.ts';
import { MASKING_CONTEXT } from '../../../shared/security/masking/masking-key.ts';
import { type AnyBucket, allow, decrypt, encrypt, listAndMiss } from './allow.ts';

/** Where all backups lie; see shared/backup/layout.ts. A wildcard, because a backup's path is made when the backup is. */
export const BACKUP_PATHS = 'databases/*';

/** Of a backup: what the functions that make it read again. Every backup has a path of its own, hence the wildcards. */
const ownPath = (name: string): string => `databases/*/backups/*/${name}`;

export const WORK_PATHS = ownPath(`${WORK}*`);

export const MANIFEST_PATHS = ownPath(MANIFEST);
export const SCHEMA_PATHS = ownPath(SCHEMA);

/** Stores sealed objects. */
export function writeBackups(bucket: AnyBucket, key: kms.IKey): iam.PolicyStatement[] {
  return [
    allow(['s3:PutObject', 's3:AbortMultipartUpload'], [bucket.arnForObjects(BACKUP_PATHS)]),
    ...encrypt(bucket, key),
  ];
}

/** Derives the masking key; opens the one of a deployment that has stored it, under the key of the backups. */
export function useMaskingKey(maskingKey: kms.IKey, backupKey: kms.IKey): iam.PolicyStatement[] {
  return [
    allow(['kms:GenerateMac'], [maskingKey.keyArn], { StringEquals: { 'kms:MacAlgorithm': 'HMAC_SHA_256' } }),
    allow(['kms:Decrypt'], [backupKey.keyArn], {
      StringEquals: { 'kms:EncryptionContext:purpose': MASKING_CONTEXT.purpose },
    }),
  ];
}

/** Opens sealed objects of any backup. */
export function readBackups(bucket: AnyBucket, key: kms.IKey): iam.PolicyStatement[] {
  return [
    allow(['s3:GetObject'], [bucket.arnForObjects(BACKUP_PATHS)]),
    listAndMiss(bucket, BACKUP_PATHS),
    ...decrypt(bucket, key),
  ];
}

/** Opens what the functions of a distributed backup leave for each other, which is gone when it is complete. */
export function readWork(bucket: AnyBucket, key: kms.IKey): iam.PolicyStatement[] {
  return [
    allow(['s3:GetObject'], [bucket.arnForObjects(WORK_PATHS)]),
    listAndMiss(bucket, WORK_PATHS),
    ...decrypt(bucket, key),
  ];
}

/** Opens manifests, for who may decrypt. */
export function readManifests(bucket: AnyBucket): iam.PolicyStatement[] {
  return [allow(['s3:GetObject'], [bucket.arnForObjects(MANIFEST_PATHS)]), listAndMiss(bucket, MANIFEST_PATHS)];
}

/** Opens the definitions of backups, for who may decrypt. */
export function readBackedUpDefinitions(bucket: AnyBucket): iam.PolicyStatement[] {
  return [allow(['s3:GetObject'], [bucket.arnForObjects(SCHEMA_PATHS)])];
}

/** Asks until when S3 keeps an object from being deleted. */
export function readLocks(bucket: AnyBucket): iam.PolicyStatement[] {
  return [allow(['s3:GetObjectRetention'], [bucket.arnForObjects(BACKUP_PATHS)]), listAndMiss(bucket, BACKUP_PATHS)];
}

/** Asks S3 how far an object's copy is. S3 has no right for that but the one to read; without the key nothing of it opens. */
export function readObjectStates(bucket: AnyBucket): iam.PolicyStatement[] {
  return [allow(['s3:GetObject'], [bucket.arnForObjects(BACKUP_PATHS)]), listAndMiss(bucket, BACKUP_PATHS)];
}

/** Deletes a backup's objects and aborts its unfinished uploads. Former versions are beyond it: the bucket keeps them. */
export function removeBackups(bucket: AnyBucket): iam.PolicyStatement[] {
  return [
    allow(['s3:DeleteObject', 's3:AbortMultipartUpload'], [bucket.arnForObjects(BACKUP_PATHS)]),
    allow(['s3:ListBucket'], [bucket.bucketArn], { StringLike: { 's3:prefix': BACKUP_PATHS } }),
    // S3 knows no condition on the prefix here, so such a condition would never be met.
    allow(['s3:ListBucketMultipartUploads'], [bucket.bucketArn]),
  ];
}
