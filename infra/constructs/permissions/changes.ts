import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import { changesPrefix } from '../../../shared/changes/segments/layout.ts';
import { type AnyBucket, allow, decrypt, encrypt, listAndMiss } from './allow.ts';

/** Captured changes of all databases; see shared/changes/segments/layout.ts. */
export const CHANGE_PATHS = changesPrefix('*').concat('*');

/** Reads what is stored of captured changes. */
export function readChanges(bucket: AnyBucket, key: kms.IKey): iam.PolicyStatement[] {
  return [
    allow(['s3:GetObject'], [bucket.arnForObjects(CHANGE_PATHS)]),
    listAndMiss(bucket, CHANGE_PATHS),
    ...decrypt(bucket, key),
  ];
}

/** Stores captured changes, and reads what is stored of them. */
export function captureChanges(bucket: AnyBucket, key: kms.IKey): iam.PolicyStatement[] {
  return [
    allow(['s3:PutObject', 's3:AbortMultipartUpload', 's3:GetObject'], [bucket.arnForObjects(CHANGE_PATHS)]),
    listAndMiss(bucket, CHANGE_PATHS),
    ...encrypt(bucket, key),
    ...decrypt(bucket, key),
  ];
}

/** Deletes captured changes. Former versions are beyond it: the bucket keeps them. */
export function removeChanges(bucket: AnyBucket): iam.PolicyStatement[] {
  return [allow(['s3:DeleteObject'], [bucket.arnForObjects(CHANGE_PATHS)])];
}
