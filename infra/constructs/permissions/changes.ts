import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import { changesPrefix } from '../../../shared/changes/segments/layout.ts';
import { allow, listAndMiss } from './allow.ts';

/** Captured changes of all databases; see shared/changes/segments/layout.ts. */
export const CHANGE_PATHS = changesPrefix('*').concat('*');

/** Reads what is stored of captured changes. */
export function readChanges(bucket: s3.Bucket, key: kms.Key): iam.PolicyStatement[] {
  return [
    allow(['s3:GetObject'], [bucket.arnForObjects(CHANGE_PATHS)]),
    listAndMiss(bucket, CHANGE_PATHS),
    allow(['kms:Decrypt'], [key.keyArn]),
  ];
}

/** Stores captured changes, and reads what is stored of them. */
export function captureChanges(bucket: s3.Bucket, key: kms.Key): iam.PolicyStatement[] {
  return [
    allow(['s3:PutObject', 's3:AbortMultipartUpload', 's3:GetObject'], [bucket.arnForObjects(CHANGE_PATHS)]),
    listAndMiss(bucket, CHANGE_PATHS),
    allow(['kms:GenerateDataKey', 'kms:Decrypt'], [key.keyArn]),
  ];
}

/** Deletes captured changes. Former versions are beyond it: the bucket keeps them. */
export function removeChanges(bucket: s3.Bucket): iam.PolicyStatement[] {
  return [allow(['s3:DeleteObject'], [bucket.arnForObjects(CHANGE_PATHS)])];
}
