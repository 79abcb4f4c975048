import { CfnOutput, Fn, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as kms from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import type { Deployment } from '../config/schema.ts';
import { BACKUP_KEY_OUTPUT, type StorageStack } from './storage.ts';

export interface ReplicaKeyStackProps extends StackProps {
  readonly deployment: Deployment;
  readonly storage: StorageStack;
}

const DELETION_DAYS = 30;

/**
 * The backups' key in the second region, without which nobody opens the copies there once the first region is lost. A stack of its own:
 * it needs the key of the storage stack, and that one the bucket of the copies.
 */
export class ReplicaKeyStack extends Stack {
  constructor(scope: Construct, id: string, { deployment, storage, ...props }: ReplicaKeyStackProps) {
    super(scope, id, { ...props, description: 'The key of the backups in a second region' });
    this.addStackDependency(storage);
    const replica = new kms.CfnReplicaKey(this, 'BackupKey', {
      description: `Opens the backups of ${deployment.prefix} in this region`,
      primaryKeyArn: Fn.getStackOutput(storage.stackName, BACKUP_KEY_OUTPUT, deployment.region),
      // As that of a key which CDK makes: IAM decides, in this account alone.
      keyPolicy: {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { AWS: this.formatArn({ service: 'iam', region: '', resource: 'root' }) },
            Action: 'kms:*',
            Resource: '*',
          },
        ],
      },
      pendingWindowInDays: DELETION_DAYS,
    });
    const isRetained = deployment.removal_policy === 'retain';
    replica.applyRemovalPolicy(isRetained ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY);
    new kms.CfnAlias(this, 'Alias', {
      aliasName: `alias/${deployment.prefix}-backups`,
      targetKeyId: replica.attrKeyId,
    });
    new CfnOutput(this, 'ReplicaKeyArn', { value: replica.attrArn });
  }
}
