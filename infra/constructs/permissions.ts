import { ArnFormat, Stack } from 'aws-cdk-lib';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { MANIFEST, WORK } from '../../shared/backup/layout.ts';
import { changesPrefix } from '../../shared/changes/segments/layout.ts';
import { metricNamespace } from '../../shared/health/metrics.ts';
import { samplePartitions } from '../../shared/health/sample-store.ts';
import { CALLS_PREFIX } from '../../shared/security/access/count-calls.ts';
import { AUDIT_PREFIX } from '../../shared/security/audit/layout.ts';
import { headKey } from '../../shared/security/audit/record.ts';
import { stateKeys } from '../../shared/state/table.ts';
import type { Deployment } from '../config/schema.ts';

/** Where all backups lie; see shared/backup/layout.ts. A wildcard, because a backup's path is made when the backup is. */
export const BACKUP_PATHS = 'databases/*';

/** All of the bucket of downloads, which holds nothing else. */
export const DOWNLOAD_PATHS = '*';

/** Of a backup: what the functions that make it read again. Every backup has a path of its own, hence the wildcards. */
const ownPath = (name: string): string => `databases/*/backups/*/${name}`;
export const WORK_PATHS = ownPath(`${WORK}*`);
export const MANIFEST_PATHS = ownPath(MANIFEST);
/** Archives and digests of all audit trails, in a bucket of their own; see shared/security/audit/layout.ts. */
export const AUDIT_PATHS = `${AUDIT_PREFIX}*`;
/** Captured changes of all databases; see shared/changes/segments/layout.ts. */
export const CHANGE_PATHS = changesPrefix('*').concat('*');

const allow = (actions: readonly string[], resources: readonly string[], conditions?: Record<string, unknown>) =>
  new iam.PolicyStatement({ actions: [...actions], resources: [...resources], ...(conditions ? { conditions } : {}) });

/** Reads and writes of single items; `Query` reads the index of collections alone. */
export function useState(
  table: dynamodb.Table,
  operations: readonly ('Get' | 'Put' | 'Update' | 'Delete' | 'Query')[],
): iam.PolicyStatement[] {
  const items = operations.filter((operation) => operation !== 'Query').map((operation) => `dynamodb:${operation}Item`);
  return [
    ...(items.length > 0 ? [allow(items, [table.tableArn])] : []),
    ...(operations.includes('Query')
      ? [allow(['dynamodb:Query'], [`${table.tableArn}/index/${stateKeys.index}`])]
      : []),
  ];
}

/** Counts the calls of each caller, and changes nothing else. */
export function countCalls(table: dynamodb.Table): iam.PolicyStatement[] {
  return [
    allow(['dynamodb:UpdateItem'], [table.tableArn], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${CALLS_PREFIX}*`] },
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  ];
}

/**
 * Appends to the audit trail, in transactions alone: each puts records where there are none, together with the head that it follows.
 * IAM knows no right to put only what is not there; a put over a record is what the chain, its signed heads and the archive tell of.
 * Of what is there, it may read the heads of the chains alone.
 */
export function writeAudit(table: dynamodb.Table): iam.PolicyStatement[] {
  return [
    allow(['dynamodb:PutItem'], [table.tableArn], {
      'ForAnyValue:StringEquals': { 'dynamodb:EnclosingOperation': ['TransactWriteItems'] },
    }),
    allow(['dynamodb:GetItem'], [table.tableArn], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${headKey('').pk}*`] },
      // Without it, a request that names no key would fulfil the condition above.
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  ];
}

/** Reads the audit trail, and what is archived and signed of it. */
export function readAudit(table: dynamodb.Table, bucket: s3.Bucket, key: kms.Key): iam.PolicyStatement[] {
  return [
    allow(['dynamodb:GetItem', 'dynamodb:Query'], [table.tableArn]),
    allow(['s3:GetObject'], [bucket.arnForObjects(AUDIT_PATHS)]),
    allow(['s3:ListBucket'], [bucket.bucketArn], { StringLike: { 's3:prefix': AUDIT_PATHS } }),
    allow(['kms:Decrypt'], [key.keyArn]),
  ];
}

/** Archives the audit trail, and signs where it ends. */
export function sealAudit(
  table: dynamodb.Table,
  bucket: s3.Bucket,
  key: kms.Key,
  auditKey: kms.Key,
): iam.PolicyStatement[] {
  return [
    allow(['dynamodb:GetItem', 'dynamodb:Query'], [table.tableArn]),
    allow(['s3:PutObject', 's3:AbortMultipartUpload'], [bucket.arnForObjects(AUDIT_PATHS)]),
    allow(['s3:ListBucket'], [bucket.bucketArn], { StringLike: { 's3:prefix': AUDIT_PATHS } }),
    // S3 itself decrypts with the key when it joins the parts of an upload.
    allow(['kms:GenerateDataKey', 'kms:Decrypt'], [key.keyArn]),
    allow(['kms:Sign'], [auditKey.keyArn]),
  ];
}

/** Reads how AWS keeps the backups, their key, the logins' secrets and the instances: settings alone, never what is kept. */
export function readProtection(
  stack: Stack,
  bucket: s3.Bucket,
  key: kms.Key,
  databases: Deployment['databases'],
): iam.PolicyStatement[] {
  const instances = databases.flatMap(({ kind, host, instance_id }) =>
    kind === 'self-managed' ? [] : [instance_id ?? host.split('.')[0] ?? host],
  );
  const secrets = databases.flatMap(({ login }) => (login.type === 'secret' ? [login.secret_arn] : []));
  return [
    allow(
      [
        's3:GetBucketPublicAccessBlock',
        's3:GetEncryptionConfiguration',
        's3:GetBucketVersioning',
        's3:GetBucketPolicy',
      ],
      [bucket.bucketArn],
    ),
    allow(['kms:GetKeyRotationStatus'], [key.keyArn]),
    ...(secrets.length > 0 ? [allow(['secretsmanager:DescribeSecret'], secrets)] : []),
    ...(instances.length > 0
      ? [
          allow(
            ['rds:DescribeDBInstances'],
            instances.map((resourceName) =>
              stack.formatArn({
                service: 'rds',
                resource: 'db',
                resourceName,
                arnFormat: ArnFormat.COLON_RESOURCE_NAME,
              }),
            ),
          ),
        ]
      : []),
  ];
}

/** Reads the samples of databases by their time, and nothing else of the table as a range. */
export function readSamples(table: dynamodb.Table): iam.PolicyStatement[] {
  return [
    allow(['dynamodb:Query'], [table.tableArn], {
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': samplePartitions.map((partition) => `${partition}*`) },
      // Without it, a request that names no key would fulfil the condition above.
      Null: { 'dynamodb:LeadingKeys': 'false' },
    }),
  ];
}

/** Reads CloudWatch's metrics of managed databases, where there are any. CloudWatch knows no resources. */
export function readRdsMetrics(databases: Deployment['databases']): iam.PolicyStatement[] {
  const isManaged = databases.some(({ kind }) => kind !== 'self-managed');
  return isManaged ? [allow(['cloudwatch:GetMetricData'], ['*'])] : [];
}

/**
 * Sends mails from the one address of the alerts, which SES may have verified by itself or by its domain.
 *
 * @param configurationSet - the one they are sent with, if there is one
 */
export function sendMails(
  stack: Stack,
  { alert_emails, alert_sender }: Deployment,
  configurationSet?: string,
): iam.PolicyStatement[] {
  const sender = alert_sender ?? alert_emails[0];
  if (alert_emails.length === 0 || sender === undefined) return [];
  const identities = [sender, sender.slice(sender.indexOf('@') + 1)].map((resourceName) =>
    stack.formatArn({ service: 'ses', resource: 'identity', resourceName }),
  );
  const sets = configurationSet === undefined ? [] : [configurationSet];
  const resources = [
    ...identities,
    ...sets.map((resourceName) => stack.formatArn({ service: 'ses', resource: 'configuration-set', resourceName })),
  ];
  return [allow(['ses:SendEmail'], resources, { StringEquals: { 'ses:FromAddress': sender } })];
}

/** Stores sealed objects. */
export function writeBackups(bucket: s3.Bucket, key: kms.Key): iam.PolicyStatement[] {
  return [
    allow(['s3:PutObject', 's3:AbortMultipartUpload'], [bucket.arnForObjects(BACKUP_PATHS)]),
    // S3 itself decrypts with the key when it joins the parts of an upload.
    allow(['kms:GenerateDataKey', 'kms:Decrypt'], [key.keyArn]),
  ];
}

/** Makes and opens the masking key, which is a data key of the backups' key. */
export function useMaskingKey(key: kms.Key): iam.PolicyStatement[] {
  return [allow(['kms:GenerateDataKey', 'kms:Decrypt'], [key.keyArn])];
}

/** Opens sealed objects of any backup. */
export function readBackups(bucket: s3.Bucket, key: kms.Key): iam.PolicyStatement[] {
  return [
    allow(['s3:GetObject'], [bucket.arnForObjects(BACKUP_PATHS)]),
    // S3 says of a missing object that it is missing only to whoever may list the bucket; to others, that access is denied.
    allow(['s3:ListBucket'], [bucket.bucketArn]),
    allow(['kms:Decrypt'], [key.keyArn]),
  ];
}

/** Opens what the functions of a distributed backup leave for each other, which is gone when it is complete. */
export function readWork(bucket: s3.Bucket, key: kms.Key): iam.PolicyStatement[] {
  return [
    allow(['s3:GetObject'], [bucket.arnForObjects(WORK_PATHS)]),
    allow(['s3:ListBucket'], [bucket.bucketArn], { StringLike: { 's3:prefix': WORK_PATHS } }),
    allow(['kms:Decrypt'], [key.keyArn]),
  ];
}

/** Opens manifests, for who may decrypt. */
export function readManifests(bucket: s3.Bucket): iam.PolicyStatement[] {
  return [allow(['s3:GetObject'], [bucket.arnForObjects(MANIFEST_PATHS)])];
}

/** Reads what is stored of captured changes. */
export function readChanges(bucket: s3.Bucket, key: kms.Key): iam.PolicyStatement[] {
  return [
    allow(['s3:GetObject'], [bucket.arnForObjects(CHANGE_PATHS)]),
    allow(['s3:ListBucket'], [bucket.bucketArn], { StringLike: { 's3:prefix': CHANGE_PATHS } }),
    allow(['kms:Decrypt'], [key.keyArn]),
  ];
}

/** Deletes captured changes. Former versions are beyond it: the bucket keeps them. */
export function removeChanges(bucket: s3.Bucket): iam.PolicyStatement[] {
  return [allow(['s3:DeleteObject'], [bucket.arnForObjects(CHANGE_PATHS)])];
}

/** Stores captured changes, and reads what is stored of them. */
export function captureChanges(bucket: s3.Bucket, key: kms.Key): iam.PolicyStatement[] {
  return [
    allow(['s3:PutObject', 's3:AbortMultipartUpload', 's3:GetObject'], [bucket.arnForObjects(CHANGE_PATHS)]),
    allow(['s3:ListBucket'], [bucket.bucketArn], { StringLike: { 's3:prefix': CHANGE_PATHS } }),
    allow(['kms:GenerateDataKey', 'kms:Decrypt'], [key.keyArn]),
  ];
}

/** Deletes a backup's objects and aborts its unfinished uploads. Former versions are beyond it: the bucket keeps them. */
export function removeBackups(bucket: s3.Bucket): iam.PolicyStatement[] {
  return [
    allow(['s3:DeleteObject', 's3:AbortMultipartUpload'], [bucket.arnForObjects(BACKUP_PATHS)]),
    allow(['s3:ListBucket'], [bucket.bucketArn], { StringLike: { 's3:prefix': BACKUP_PATHS } }),
    // S3 knows no condition on the prefix here, so such a condition would never be met.
    allow(['s3:ListBucketMultipartUploads'], [bucket.bucketArn]),
  ];
}

/** Makes the files of downloads, and looks which parts of them are stored. */
export function writeDownloads(downloads: s3.Bucket, key: kms.Key): iam.PolicyStatement[] {
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
export function readDownloads(downloads: s3.Bucket, key: kms.Key): iam.PolicyStatement[] {
  return [allow(['s3:GetObject'], [downloads.arnForObjects(DOWNLOAD_PATHS)]), allow(['kms:Decrypt'], [key.keyArn])];
}

/** Deletes files of downloads and aborts their unfinished uploads. */
export function removeDownloads(downloads: s3.Bucket): iam.PolicyStatement[] {
  return [
    allow(['s3:DeleteObject', 's3:AbortMultipartUpload'], [downloads.arnForObjects(DOWNLOAD_PATHS)]),
    allow(['s3:ListBucket', 's3:ListBucketMultipartUploads'], [downloads.bucketArn]),
  ];
}

/** Asks until when S3 keeps an object from being deleted. */
export function readLocks(bucket: s3.Bucket): iam.PolicyStatement[] {
  return [allow(['s3:GetObjectRetention'], [bucket.arnForObjects(BACKUP_PATHS)])];
}

/** Asks CloudWatch for the free storage of RDS instances, where there are any; Aurora's grows by itself. */
export function readFreeStorage(databases: Deployment['databases']): iam.PolicyStatement[] {
  // CloudWatch has no resources for metrics, and knows no condition on a namespace where they are read.
  return databases.some(({ kind }) => kind === 'rds') ? [allow(['cloudwatch:GetMetricData'], ['*'])] : [];
}

/** Sends the deployment's own metrics. CloudWatch has no resources for metrics; the namespace is the narrowest there is. */
export function publishMetrics(prefix: string): iam.PolicyStatement {
  const condition = { StringEquals: { 'cloudwatch:namespace': metricNamespace(prefix) } };
  return allow(['cloudwatch:PutMetricData'], ['*'], condition);
}

/** Reads secrets and gives them new versions; which of them is current decides the function of the rotation as well. */
export function rotateSecrets(
  scope: Construct,
  secrets: readonly { arn: string; secret_key_arn?: string | undefined }[],
): iam.PolicyStatement[] {
  const { region, urlSuffix } = Stack.of(scope);
  return secrets.flatMap(({ arn, secret_key_arn }) => [
    allow(
      [
        'secretsmanager:DescribeSecret',
        'secretsmanager:GetSecretValue',
        'secretsmanager:PutSecretValue',
        'secretsmanager:UpdateSecretVersionStage',
      ],
      [arn],
    ),
    ...(secret_key_arn
      ? [
          allow(['kms:Decrypt', 'kms:GenerateDataKey'], [secret_key_arn], {
            StringEquals: { 'kms:ViaService': `secretsmanager.${region}.${urlSuffix}` },
          }),
        ]
      : []),
  ]);
}

/** Logs in to the configured databases: reads just their secrets, or signs in as just their users. */
export function logInToDatabases(stack: Stack, databases: Deployment['databases']): iam.PolicyStatement[] {
  return databases.flatMap(({ login, secret_key_arn }) => {
    if (login.type === 'iam') {
      const user = stack.formatArn({
        service: 'rds-db',
        resource: 'dbuser',
        resourceName: `${login.resource_id}/${login.user}`,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      });
      return [allow(['rds-db:connect'], [user])];
    }
    const decrypt = secret_key_arn
      ? [
          allow(['kms:Decrypt'], [secret_key_arn], {
            StringEquals: { 'kms:ViaService': `secretsmanager.${stack.region}.${stack.urlSuffix}` },
          }),
        ]
      : [];
    return [allow(['secretsmanager:GetSecretValue'], [login.secret_arn]), ...decrypt];
  });
}
