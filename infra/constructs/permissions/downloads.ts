import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import { type AnyBucket, allow, listAndMiss } from './allow.ts';

/** All of the bucket of downloads, which holds nothing else. */
export const DOWNLOAD_PATHS = '*';

/** Makes the files of downloads, and looks which parts of them are stored. */
export function writeDownloads(downloads: AnyBucket, key: kms.IKey): iam.PolicyStatement[] {
  return [
    allow(
      ['s3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
      [downloads.arnForObjects(DOWNLOAD_PATHS)],
    ),
    allow(['s3:ListBucket'], [downloads.bucketArn]),
    // S3 itself decrypts with the key when it joins the parts of an upload.
    allow(['kms:GenerateDataKey', 'kms:Decrypt'], [key.keyArn]),
  ];
}

/** Reads the files of downloads, and so may sign addresses of them. */
export function readDownloads(downloads: AnyBucket, key: kms.IKey): iam.PolicyStatement[] {
  return [
    allow(['s3:GetObject'], [downloads.arnForObjects(DOWNLOAD_PATHS)]),
    listAndMiss(downloads, DOWNLOAD_PATHS),
    allow(['kms:Decrypt'], [key.keyArn]),
  ];
}

/** Deletes files of downloads and aborts their unfinished uploads. */
export function removeDownloads(downloads: AnyBucket): iam.PolicyStatement[] {
  return [
    allow(['s3:DeleteObject', 's3:AbortMultipartUpload'], [downloads.arnForObjects(DOWNLOAD_PATHS)]),
    allow(['s3:ListBucket', 's3:ListBucketMultipartUploads'], [downloads.bucketArn]),
  ];
}
