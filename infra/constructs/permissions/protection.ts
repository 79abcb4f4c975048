import { ArnFormat, type Stack, Validations } from 'aws-cdk-lib';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import { rdsNamesOf } from '../../../shared/aws/rds-names.ts';
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
  const managed = databases.filter(({ kind }) => kind !== 'self-managed');
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
    ...describeManaged(stack, managed),
  ];
}

/** Of a cluster its instances are found by its name, which IAM takes for all instances: they come and go, and have names of their own. */
function describeManaged(stack: Stack, managed: Deployment['databases']): iam.PolicyStatement[] {
  const instances = new Set<string>();
  const clusters = new Set<string>();
  for (const database of managed) {
    const { instance, cluster } = rdsNamesOf(database);
    const isOfCluster = database.kind === 'aurora' || cluster !== null;
    if (isOfCluster) clusters.add(cluster ?? '*');
    if (isOfCluster) instances.add('*');
    else if (instance !== null) instances.add(instance);
  }
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
