import { ArnFormat, CfnOutput, Duration, RemovalPolicy, Stack, type StackProps, Validations } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as sns from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { stateKeys } from '../../shared/state/table.ts';
import type { Deployment } from '../config/schema.ts';
import { EmptiedBuckets } from '../constructs/emptied-buckets.ts';
import { written } from '../constructs/network-interfaces.ts';
import { defaultLock, lockOf } from '../constructs/object-lock.ts';
import type { AnyBucket } from '../constructs/permissions/allow.ts';
import { AUDIT_PATHS } from '../constructs/permissions/audit.ts';
import { BACKUP_PATHS, MANIFEST_PATHS, SCHEMA_PATHS, WORK_PATHS } from '../constructs/permissions/backups.ts';
import { CHANGE_PATHS } from '../constructs/permissions/changes.ts';
import { bindPresignedUrls, DOWNLOAD_PATHS } from '../constructs/permissions/downloads.ts';
import { Replication } from '../constructs/replication.ts';
import { namesOfCopies } from './copies.ts';

export interface StorageStackProps extends StackProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
}

/** Names the key to the stack of its replica. */
export const BACKUP_KEY_OUTPUT = 'BackupKeyArn';

/** What outlives every function: the keys, the buckets, and the two tables. */
export class StorageStack extends Stack {
  /** Encrypts the backups. */
  readonly key: kms.IKey;
  readonly bucket: AnyBucket;
  /** Hears of objects that S3 could not copy; null without copies. */
  readonly failedCopies: sns.Topic | null;
  readonly downloads: s3.Bucket;
  /** The archives of the audit trails, and what is signed of them. */
  readonly auditBucket: s3.Bucket;
  readonly stateTable: dynamodb.Table;
  readonly auditTable: dynamodb.Table;
  /** Signs the ends of the audit trails. */
  readonly auditKey: kms.Key;
  /** Derives the masking key, and encrypts nothing. */
  readonly maskingKey: kms.Key;
  /** Encrypts the tables, the logs and the archives of the audit trails, which stay readable when the key of the backups is destroyed. */
  readonly dataKey: kms.Key;

  constructor(scope: Construct, id: string, { deployment, buildFolder, ...props }: StorageStackProps) {
    super(scope, id, { ...props, description: 'Backups, their key, and the state of the database management system' });
    const removalPolicy = deployment.removal_policy === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;

    this.key = this.backupKey(deployment, removalPolicy);
    // KMS rotates no asymmetric keys: what one has signed, another could not prove.
    this.auditKey = new kms.Key(this, 'AuditKey', {
      description: `Signs the audit trails of ${deployment.prefix}`,
      alias: `${deployment.prefix}-audit`,
      keySpec: kms.KeySpec.ECC_NIST_P256,
      keyUsage: kms.KeyUsage.SIGN_VERIFY,
      pendingWindow: Duration.days(30),
      removalPolicy,
    });
    const { prefix } = deployment;
    // KMS rotates no such keys: with another, masked values would be others.
    this.maskingKey = new kms.Key(this, 'MaskingKey', {
      description: `Derives the masking key of ${prefix}: without it masked values of later backups are others`,
      alias: `${prefix}-masking`,
      keySpec: kms.KeySpec.HMAC_256,
      keyUsage: kms.KeyUsage.GENERATE_VERIFY_MAC,
      multiRegion: true,
      pendingWindow: Duration.days(30),
      removalPolicy,
    });
    this.dataKey = new kms.Key(this, 'DataKey', {
      description: `Encrypts the tables, the logs and the archives of the audit trails of ${prefix}`,
      alias: `${prefix}-data`,
      enableKeyRotation: true,
      pendingWindow: Duration.days(30),
      removalPolicy,
    });
    this.letLogsUse(this.dataKey, prefix);
    const shared = {
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy,
    };
    const accessLogs = this.accessLogs(shared, deployment);
    const encrypted = {
      ...shared,
      encryption: s3.BucketEncryption.KMS,
      encryptionKey: this.key,
      // Fewer calls to KMS.
      bucketKeyEnabled: true,
      serverAccessLogsBucket: accessLogs as s3.IBucket,
    };
    this.failedCopies = deployment.copies ? this.copyFailures() : null;
    this.bucket = this.backupBucket(encrypted, deployment);
    this.downloads = this.downloadBucket(encrypted, deployment);
    this.auditBucket = this.auditArchive({ ...encrypted, encryptionKey: this.dataKey }, deployment);
    this.stateTable = this.table('State', deployment, removalPolicy);
    this.stateTable.addGlobalSecondaryIndex({
      indexName: stateKeys.index,
      partitionKey: { name: stateKeys.indexPartition, type: dynamodb.AttributeType.STRING },
      sortKey: { name: stateKeys.indexSort, type: dynamodb.AttributeType.STRING },
      projectionType: dynamodb.ProjectionType.ALL,
    });
    this.auditTable = this.table('Audit', deployment, removalPolicy);
    if (removalPolicy === RemovalPolicy.DESTROY) {
      const own = [this.bucket, this.downloads, this.auditBucket, accessLogs].filter(
        (each) => each instanceof s3.Bucket,
      );
      new EmptiedBuckets(this, 'EmptiedBuckets', { deployment, buildFolder, buckets: own });
    }
  }

  /** CloudWatch Logs uses the key for the log groups of this deployment: those of its functions, and those that CloudFormation names. */
  private letLogsUse(key: kms.Key, prefix: string): void {
    const named = (name: string) =>
      this.formatArn({
        service: 'logs',
        resource: 'log-group',
        resourceName: name,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      });
    key.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'LogsOfThisDeployment',
        principals: [new iam.ServicePrincipal(`logs.${this.region}.amazonaws.com`)],
        actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
        resources: ['*'],
        conditions: {
          ArnLike: { 'kms:EncryptionContext:aws:logs:arn': [named(`/aws/lambda/${prefix}-*`), named(`${prefix}-*`)] },
        },
      }),
    );
  }

  private backupKey(deployment: Deployment, removalPolicy: RemovalPolicy): kms.IKey {
    const { existing_backups: existing } = deployment;
    if (existing) return kms.Key.fromKeyArn(this, 'BackupKey', existing.key_arn);
    // Its policy names every resource, which in a key's own policy is the key itself: KMS knows no narrower form.
    const key = new kms.Key(this, 'BackupKey', {
      description: `Encrypts the backups of ${deployment.prefix}: without it they cannot be opened`,
      alias: `${deployment.prefix}-backups`,
      enableKeyRotation: true,
      // A key cannot become one later: its replica in a second region opens the copies there when this region is lost.
      multiRegion: true,
      pendingWindow: Duration.days(30),
      removalPolicy,
    });
    if (deployment.copies) new CfnOutput(this, BACKUP_KEY_OUTPUT, { value: key.keyArn });
    return key;
  }

  /** S3 tells of each object that it could not copy. */
  private copyFailures(): sns.Topic {
    const topic = new sns.Topic(this, 'FailedCopies', { enforceSSL: true });
    topic.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'FromS3',
        principals: [new iam.ServicePrincipal('s3.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        // Not the bucket: it is made only when the topic lets it in.
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    );
    return topic;
  }

  /**
   * Says why functions of another stack have rights over all paths of backups and downloads: a path is made when the backup is.
   * cdk-nag knows the wildcard by the export through which the other stack knows the bucket.
   */
  acknowledgeBackupPaths(user: Stack): void {
    for (const [bucket, paths] of [
      [this.bucket, BACKUP_PATHS],
      [this.bucket, WORK_PATHS],
      [this.bucket, MANIFEST_PATHS],
      [this.bucket, SCHEMA_PATHS],
      [this.bucket, CHANGE_PATHS],
      [this.auditBucket, AUDIT_PATHS],
      [this.downloads, DOWNLOAD_PATHS],
    ] as const) {
      const arn = bucket instanceof s3.Bucket ? this.exported(bucket) : written(this.resolve(bucket.bucketArn));
      Validations.of(user).acknowledge({
        id: `AwsSolutions-IAM5[Resource::${arn}/${paths}]`,
        reason: 'A path is made when the backup is, or its download.',
      });
    }
  }

  /** The name of a bucket's ARN among this stack's exports. */
  private exported({ bucketArn }: s3.Bucket): string {
    const { 'Fn::ImportValue': name } = this.resolve(this.exportValue(bucketArn));
    return name;
  }

  private accessLogs(shared: s3.BucketProps, deployment: Deployment): s3.Bucket {
    const accessLogs = new s3.Bucket(this, 'AccessLogs', {
      ...shared,
      // S3 writes server access logs under its own keys only.
      encryption: s3.BucketEncryption.S3_MANAGED,
      lifecycleRules: [{ expiration: Duration.days(deployment.retention.log_days) }],
    });
    Validations.of(accessLogs).acknowledge({ id: 'AwsSolutions-S1', reason: 'It is where the access logs go.' });
    return accessLogs;
  }

  private backupBucket(encrypted: s3.BucketProps, deployment: Deployment): AnyBucket {
    const { existing_backups: existing } = deployment;
    if (existing) {
      return s3.Bucket.fromBucketAttributes(this, 'Backups', {
        bucketName: existing.bucket,
        encryptionKey: kms.Key.fromKeyArn(this, 'BucketKey', existing.bucket_key_arn),
      });
    }
    const bucket = new s3.Bucket(this, 'Backups', {
      ...encrypted,
      versioned: true,
      ...defaultLock(deployment),
      lifecycleRules: [
        {
          abortIncompleteMultipartUploadAfter: Duration.days(1),
          noncurrentVersionExpiration: Duration.days(deployment.retention.noncurrent_version_days),
          expiredObjectDeleteMarker: true,
        },
      ],
    });
    this.refuseOtherEncryption(bucket, this.key);
    bindPresignedUrls(bucket, deployment.allowed_address_ranges);
    const copies = namesOfCopies(deployment);
    if (copies && deployment.copies) {
      const destination = { ...copies, region: deployment.copies.region };
      new Replication(this, 'Replication', {
        source: bucket,
        sourceKey: this.key,
        destination,
        failures: this.failedCopies as sns.ITopic,
        timeControl: deployment.copies.time_control,
      });
    }
    return bucket;
  }

  /**
   * Apart from the backups, as its lock does not depend on theirs. S3 keeps each version for the days of the lock; that nobody hides
   * one behind a deletion in that time, the policy sees to.
   */
  private auditArchive(encrypted: s3.BucketProps, deployment: Deployment): s3.Bucket {
    const bucket = new s3.Bucket(this, 'AuditArchive', {
      ...encrypted,
      versioned: true,
      ...lockOf(deployment.audit.object_lock),
      lifecycleRules: [{ abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    });
    this.refuseOtherEncryption(bucket, this.dataKey);
    bucket.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'NothingIsDeleted',
        effect: iam.Effect.DENY,
        principals: [new iam.AnyPrincipal()],
        actions: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:BypassGovernanceRetention'],
        resources: [bucket.arnForObjects('*')],
      }),
    );
    return bucket;
  }

  /**
   * Holds rows in plain text under S3's encryption alone, for a day: apart from the backups, as nothing in it may be kept by
   * versions, by a lock or in a second region.
   */
  private downloadBucket(encrypted: s3.BucketProps, deployment: Deployment): s3.Bucket {
    const bucket = new s3.Bucket(this, 'Downloads', {
      ...encrypted,
      lifecycleRules: [
        {
          expiration: Duration.days(1),
          // A file is uploaded by one job, over all its time.
          abortIncompleteMultipartUploadAfter: Duration.days(Math.ceil(deployment.job_timeout_hours / 24) + 1),
        },
      ],
    });
    this.refuseOtherEncryption(bucket, this.key);
    bindPresignedUrls(bucket, deployment.allowed_address_ranges);
    return bucket;
  }

  /**
   * The bucket encrypts with its key by default; a writer who asks for anything else is refused. `Null`, because a part of a
   * multipart upload asks for nothing: it follows its upload.
   */
  private refuseOtherEncryption(bucket: s3.Bucket, key: kms.IKey): void {
    const only = (sid: string, condition: string, value: string) =>
      bucket.addToResourcePolicy(
        new iam.PolicyStatement({
          sid,
          effect: iam.Effect.DENY,
          principals: [new iam.AnyPrincipal()],
          actions: ['s3:PutObject'],
          // A refusal: the wider, the safer.
          resources: [bucket.arnForObjects('*')],
          conditions: { Null: { [condition]: 'false' }, StringNotEquals: { [condition]: value } },
        }),
      );
    only('OnlyKms', 's3:x-amz-server-side-encryption', 'aws:kms');
    only('OnlyItsKey', 's3:x-amz-server-side-encryption-aws-kms-key-id', key.keyArn);
  }

  private table(id: string, deployment: Deployment, removalPolicy: RemovalPolicy): dynamodb.Table {
    return new dynamodb.Table(this, id, {
      partitionKey: { name: stateKeys.partition, type: dynamodb.AttributeType.STRING },
      sortKey: { name: stateKeys.sort, type: dynamodb.AttributeType.STRING },
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      // Not the backups' key: who may read the state of a job need not be able to open a backup.
      encryption: dynamodb.TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: this.dataKey,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      timeToLiveAttribute: stateKeys.timeToLive,
      deletionProtection: deployment.deletion_protection,
      removalPolicy,
    });
  }
}
