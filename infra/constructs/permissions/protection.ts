import { ArnFormat, type Stack, Validations } from 'aws-cdk-lib';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import { platformOf } from '../../../shared/platforms/platforms.ts';
import type { Deployment } from '../../config/schema.ts';
import { written } from '../network-interfaces.ts';
import { type AnyBucket, allow } from './allow.ts';

/** Reads how AWS keeps the backups, their key, the logins' secrets and the instances: settings alone, never what is kept. */
export function readProtection(
  stack: Stack,
  bucket: AnyBucket,
  key: kms.IKey,
  databases: Deployment['databases'],
): iam.PolicyStatement[] {
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
    ...describeServers(stack, databases),
    ...describeParameters(stack, databases),
  ];
}

/** Of a cluster its instances are found by its name, which IAM takes for all instances: they come and go, and have names of their own. */
export function describeServers(stack: Stack, databases: Deployment['databases']): iam.PolicyStatement[] {
  const reads = databases.map((database) => platformOf(database).endpoints.reads(database));
  const instances = new Set(reads.flatMap((each) => each.instances));
  const clusters = new Set(reads.flatMap((each) => each.clusters));
  const statement = (action: string, resource: string, names: ReadonlySet<string>): iam.PolicyStatement[] => {
    const arns = (names.has('*') ? ['*'] : [...names]).map((resourceName) =>
      stack.formatArn({ service: 'rds', resource, resourceName, arnFormat: ArnFormat.COLON_RESOURCE_NAME }),
    );
    if (names.has('*')) {
      for (const arn of arns) {
        Validations.of(stack).acknowledge({
          id: `AwsSolutions-IAM5[Resource::${written(stack.resolve(arn))}]`,
          reason: 'Described, never changed: the instances of a cluster are not known beforehand.',
        });
      }
    }
    return arns.length > 0 ? [allow([action], arns)] : [];
  };
  return [
    ...statement('rds:DescribeDBInstances', 'db', instances),
    ...statement('rds:DescribeDBClusters', 'cluster', clusters),
  ];
}

/** What the parameter groups of servers take; their names are not known beforehand. */
function describeParameters(stack: Stack, databases: Deployment['databases']): iam.PolicyStatement[] {
  const reads = databases.map((database) => platformOf(database).endpoints.reads(database));
  const any = (resource: string): string => {
    const arn = stack.formatArn({
      service: 'rds',
      resource,
      resourceName: '*',
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    Validations.of(stack).acknowledge({
      id: `AwsSolutions-IAM5[Resource::${written(stack.resolve(arn))}]`,
      reason: 'Described, never changed: which group a server has is not known beforehand.',
    });
    return arn;
  };
  return [
    ...(reads.some(({ instances }) => instances.length > 0) ? [allow(['rds:DescribeDBParameters'], [any('pg')])] : []),
    ...(reads.some(({ clusters }) => clusters.length > 0)
      ? [allow(['rds:DescribeDBClusterParameters'], [any('cluster-pg')])]
      : []),
  ];
}
