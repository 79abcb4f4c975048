import { CustomResource, Duration, Stack, Tags, Validations } from 'aws-cdk-lib';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { EMPTIED_ON_REMOVAL } from '../../shared/aws/bucket-removal.ts';
import type { Deployment } from '../config/schema.ts';
import { NodeFunction } from './node-function.ts';
import { allow } from './permissions/allow.ts';

export interface EmptiedBucketsProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
  readonly buckets: readonly s3.Bucket[];
}

/**
 * Empties buckets when their stack is deleted, as CloudFormation deletes none that holds anything. CDK has a way of its own, which
 * takes a locked object for a deleted one and begins anew with it until its time is over.
 */
export class EmptiedBuckets extends Construct {
  constructor(scope: Construct, id: string, { deployment, buildFolder, buckets }: EmptiedBucketsProps) {
    super(scope, id);
    const objects = buckets.map((bucket) => bucket.arnForObjects('*'));
    const { fn } = new NodeFunction(this, 'Empty', {
      name: 'empty-bucket',
      description: 'Empties a bucket that is being removed with its stack',
      deployment,
      buildFolder,
      timeout: Duration.minutes(15),
      memoryMegabytes: 256,
      isWatched: false,
      statements: [
        allow(
          ['s3:ListBucketVersions', 's3:ListBucketMultipartUploads', 's3:GetBucketTagging'],
          buckets.map(({ bucketArn }) => bucketArn),
        ),
        // No right to get round a lock.
        allow(
          ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:AbortMultipartUpload', 's3:GetObjectRetention'],
          objects,
        ),
      ],
    });
    for (const bucket of buckets) {
      const resource = new CustomResource(this, `Of${bucket.node.id}`, {
        resourceType: 'Custom::EmptiedBucket',
        serviceToken: fn.functionArn,
        properties: { BucketName: bucket.bucketName },
      });
      // Its policy goes first: what it refuses, as the deletion of archived audit records, and what it lets S3 write, as access logs.
      bucket.policy?.node.addDependency(resource);
      const logicalId = Stack.of(this).getLogicalId(bucket.node.defaultChild as s3.CfnBucket);
      Validations.of(this).acknowledge({
        id: `AwsSolutions-IAM5[Resource::<${logicalId}.Arn>/*]`,
        reason: 'All of the bucket is deleted, with the bucket.',
      });
      Tags.of(bucket).add(EMPTIED_ON_REMOVAL.key, EMPTIED_ON_REMOVAL.value);
    }
  }
}
