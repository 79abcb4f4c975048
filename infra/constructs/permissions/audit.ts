import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import { AUDIT_PREFIX } from '../../../shared/security/audit/layout.ts';
import { headsPartition } from '../../../shared/security/audit/record.ts';
import { allow, listAndMiss, readThroughS3, sealed, storeThroughS3 } from './allow.ts';
import { onTable } from './tables.ts';

/** Archives and digests of all audit trails, in a bucket of their own; see shared/security/audit/layout.ts. */
export const AUDIT_PATHS = `${AUDIT_PREFIX}*`;

/**
 * Appends to the audit trail, in transactions alone: each puts records where there are none, together with the head that it follows.
 * IAM knows no right to put only what is not there; a put over a record is what the chain, its signed heads and the archive tell of.
 * Of what is there, it may read the heads of the chains alone.
 */
export function writeAudit(table: dynamodb.Table): iam.PolicyStatement[] {
  return onTable(
    table,
    allow(['dynamodb:PutItem'], [table.tableArn], {
      'ForAnyValue:StringEquals': { 'dynamodb:EnclosingOperation': ['TransactWriteItems'] },
    }),
    allow(['dynamodb:GetItem'], [table.tableArn], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${headsPartition('')}*`] },
      // Without it, a request that names no key would fulfil the condition above.
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  );
}

/** Keys of the archive: the one it is under, and that of the backups, which encrypted it in former times. */
export interface ArchiveKeys {
  readonly dataKey: kms.IKey;
  readonly backupKey: kms.IKey;
}

/** Reads the audit trail, and what is archived and signed of it. */
export function readAudit(
  table: dynamodb.Table,
  bucket: s3.Bucket,
  { dataKey, backupKey }: ArchiveKeys,
): iam.PolicyStatement[] {
  return [
    ...onTable(table, allow(['dynamodb:GetItem', 'dynamodb:Query'], [table.tableArn])),
    allow(['s3:GetObject'], [bucket.arnForObjects(AUDIT_PATHS)]),
    listAndMiss(bucket, AUDIT_PATHS),
    ...[dataKey, backupKey].flatMap((key) => [sealed(['kms:Decrypt'], key, 'audit'), readThroughS3(bucket, key)]),
  ];
}

/** Archives the audit trail, and signs where it ends. It reads what it signed last; what it archived it cannot open. */
export function sealAudit(
  table: dynamodb.Table,
  bucket: s3.Bucket,
  { dataKey, backupKey }: ArchiveKeys,
  auditKey: kms.Key,
): iam.PolicyStatement[] {
  return [
    ...onTable(table, allow(['dynamodb:GetItem', 'dynamodb:Query'], [table.tableArn])),
    allow(['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'], [bucket.arnForObjects(AUDIT_PATHS)]),
    listAndMiss(bucket, AUDIT_PATHS),
    sealed(['kms:GenerateDataKey'], dataKey, 'audit'),
    storeThroughS3(bucket, dataKey),
    // Digests of former times.
    readThroughS3(bucket, backupKey),
    allow(['kms:Sign', 'kms:GetPublicKey'], [auditKey.keyArn]),
  ];
}
