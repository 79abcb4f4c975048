import { Stack, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { written } from './network-interfaces.ts';
import { BACKUP_PATHS } from './permissions/backups.ts';

export interface ReplicationProps {
  readonly source: s3.Bucket;
  readonly sourceKey: kms.IKey;
  /** In the same account. */
  readonly destination: { readonly region: string; readonly bucket: string; readonly keyAlias: string };
  /** Hears of objects that could not be copied. */
  readonly failures: sns.ITopic;
  /** S3 Replication Time Control: AWS's promise of 15 minutes, which is paid for by the gigabyte. */
  readonly timeControl: boolean;
}

/** Minutes; S3 takes no others. */
const IN_TIME = { minutes: 15 };

/** Has S3 copy every backup's objects into a bucket of another region, where they are encrypted anew under a key of that region. */
export class Replication extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { source, sourceKey, destination, failures, timeControl }: ReplicationProps,
  ) {
    super(scope, id);
    const stack = Stack.of(this);
    const target = stack.formatArn({ service: 's3', region: '', account: '', resource: destination.bucket });
    const keys = stack.formatArn({ service: 'kms', region: destination.region, resource: 'key', resourceName: '*' });
    const alias = stack.formatArn({ service: 'kms', region: destination.region, resource: destination.keyAlias });
    const via = (region: string, bucketArn: string) => ({
      StringEquals: { 'kms:ViaService': `s3.${region}.${stack.urlSuffix}` },
      // With a bucket key, S3 names the bucket; without one, the object.
      StringLike: { 'kms:EncryptionContext:aws:s3:arn': [bucketArn, `${bucketArn}/*`] },
    });
    const role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('s3.amazonaws.com'),
      description: 'Lets S3 copy backups into a second region',
    });
    const policy = new iam.Policy(this, 'Policy', {
      roles: [role],
      statements: [
        new iam.PolicyStatement({
          actions: ['s3:GetReplicationConfiguration', 's3:ListBucket'],
          resources: [source.bucketArn],
        }),
        new iam.PolicyStatement({
          actions: [
            's3:GetObjectVersionForReplication',
            's3:GetObjectVersionAcl',
            's3:GetObjectVersionTagging',
            's3:GetObjectRetention',
            's3:GetObjectLegalHold',
          ],
          resources: [source.arnForObjects(BACKUP_PATHS)],
        }),
        new iam.PolicyStatement({
          actions: ['s3:ReplicateObject', 's3:ReplicateDelete', 's3:ReplicateTags'],
          resources: [`${target}/${BACKUP_PATHS}`],
        }),
        new iam.PolicyStatement({
          actions: ['kms:Decrypt'],
          resources: [sourceKey.keyArn],
          conditions: via(stack.region, source.bucketArn),
        }),
        new iam.PolicyStatement({
          actions: ['kms:Encrypt', 'kms:GenerateDataKey'],
          resources: [keys],
          conditions: {
            ...via(destination.region, target),
            'ForAnyValue:StringEquals': { 'kms:ResourceAliases': destination.keyAlias },
          },
        }),
      ],
    });
    const bucket = source.node.defaultChild as s3.CfnBucket;
    const logicalId = stack.getLogicalId(bucket);
    for (const [resource, reason] of [
      [`<${logicalId}.Arn>/${BACKUP_PATHS}`, "A backup's path is made when the backup is."],
      [written(stack.resolve(`${target}/${BACKUP_PATHS}`)), "A backup's path is made when the backup is."],
      [written(stack.resolve(keys)), 'A key of another region is known by its alias alone, which the condition names.'],
    ]) {
      Validations.of(policy).acknowledge({ id: `AwsSolutions-IAM5[Resource::${resource}]`, reason: reason ?? '' });
    }

    bucket.replicationConfiguration = {
      role: role.roleArn,
      rules: [
        {
          id: 'second-region',
          status: 'Enabled',
          priority: 1,
          filter: { prefix: BACKUP_PATHS.slice(0, -1) },
          // Else what has expired here would stay there for ever.
          deleteMarkerReplication: { status: 'Enabled' },
          sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: 'Enabled' } },
          destination: {
            bucket: target,
            encryptionConfiguration: { replicaKmsKeyId: alias },
            // Without metrics S3 tells of no failures either.
            metrics: { status: 'Enabled', ...(timeControl ? { eventThreshold: IN_TIME } : {}) },
            ...(timeControl ? { replicationTime: { status: 'Enabled', time: IN_TIME } } : {}),
          },
        },
      ],
    };
    const events = ['OperationFailedReplication', ...(timeControl ? ['OperationMissedThreshold'] : [])];
    bucket.notificationConfiguration = {
      topicConfigurations: events.map((event) => ({ event: `s3:Replication:${event}`, topic: failures.topicArn })),
    };
    // S3 sends a first message at once.
    bucket.node.addDependency(failures);
  }
}
