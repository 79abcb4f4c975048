import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import { isEverywhere } from '../../config/address-ranges.ts';
import { type AnyBucket, allow, listAndMiss, readThroughS3, storeThroughS3 } from './allow.ts';

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
    storeThroughS3(downloads, key),
  ];
}

/** Reads the files of downloads, and so may sign addresses of them. */
export function readDownloads(downloads: AnyBucket, key: kms.IKey): iam.PolicyStatement[] {
  return [
    allow(['s3:GetObject'], [downloads.arnForObjects(DOWNLOAD_PATHS)]),
    listAndMiss(downloads, DOWNLOAD_PATHS),
    readThroughS3(downloads, { encryptionKey: key }),
  ];
}

/** Deletes files of downloads and aborts their unfinished uploads. */
export function removeDownloads(downloads: AnyBucket): iam.PolicyStatement[] {
  return [
    allow(['s3:DeleteObject', 's3:AbortMultipartUpload'], [downloads.arnForObjects(DOWNLOAD_PATHS)]),
    allow(['s3:ListBucket', 's3:ListBucketMultipartUploads'], [downloads.bucketArn]),
  ];
}

/**
 * Binds presigned URLs to the ranges that callers may come from: whoever gets hold of one cannot use it from elsewhere. Requests that are signed in a
 * header, as those of the functions are, come from wherever these run. A request through a VPC endpoint has no `aws:SourceIp`, and is refused.
 */
export function bindPresignedUrls(bucket: s3.Bucket, ranges: readonly string[]): void {
  if (isEverywhere(ranges)) return;
  bucket.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'PresignedFromAllowedAddresses',
      effect: iam.Effect.DENY,
      principals: [new iam.AnyPrincipal()],
      actions: ['s3:GetObject', 's3:GetObjectVersion'],
      resources: [bucket.arnForObjects('*')],
      conditions: {
        StringEquals: { 's3:authType': 'REST-QUERY-STRING' },
        NotIpAddress: { 'aws:SourceIp': [...ranges] },
      },
    }),
  );
}
