import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps, Validations } from 'aws-cdk-lib';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as s3 from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { Deployment } from '../config/schema.ts';
import { EmptiedBuckets } from '../constructs/emptied-buckets.ts';
import { defaultLock } from '../constructs/object-lock.ts';

export interface CopiesStackProps extends StackProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
}

/** Names of the copies' bucket and key. They are fixed, as another region's stack cannot look them up. */
export function namesOfCopies({ prefix, account, copies }: Deployment): { bucket: string; keyAlias: string } | null {
  if (!copies || account === undefined) return null;
  return {
    bucket: `${prefix}-backup-copies-${account}-${copies.region}`,
    keyAlias: `alias/${prefix}-backup-copies`,
  };
}

/** A bucket in a second region that S3 fills with a copy of every object, under a key of that region. */
export class CopiesStack extends Stack {
  constructor(scope: Construct, id: string, { deployment, buildFolder, ...props }: CopiesStackProps) {
    super(scope, id, { ...props, description: 'Copies of the backups in a second region' });
    const names = namesOfCopies(deployment);
    if (!names) throw new Error('The deployment has no copies');
    const removalPolicy = deployment.removal_policy === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
    const key = new kms.Key(this, 'CopiesKey', {
      description: `Encrypts the copies of the backups of ${deployment.prefix} in their bucket`,
      alias: names.keyAlias,
      enableKeyRotation: true,
      pendingWindow: Duration.days(30),
      removalPolicy,
    });
    const bucket = new s3.Bucket(this, 'Copies', {
      bucketName: names.bucket,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      removalPolicy,
      encryption: s3.BucketEncryption.KMS,
      encryptionKey: key,
      bucketKeyEnabled: true,
      versioned: true,
      ...defaultLock(deployment),
      lifecycleRules: [
        {
          // What is deleted here was deleted there: the deletion is copied too.
          noncurrentVersionExpiration: Duration.days(deployment.retention.noncurrent_version_days),
          expiredObjectDeleteMarker: true,
        },
      ],
    });
    Validations.of(bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'Only S3 itself writes here, and nobody reads until the first region is lost; CloudTrail logs that.',
    });
    if (removalPolicy === RemovalPolicy.DESTROY) {
      new EmptiedBuckets(this, 'EmptiedBuckets', { deployment, buildFolder, buckets: [bucket] });
    }
    // For `existing_backups` of a deployment in this region, when nobody can ask the first one any more.
    new CfnOutput(this, 'CopiesBucket', { value: bucket.bucketName });
    new CfnOutput(this, 'CopiesKeyArn', { value: key.keyArn });
  }
}
