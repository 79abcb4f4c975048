import { Duration } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { Deployment } from '../config/schema.ts';
import { configurationLayer, layerPaths } from './layers.ts';
import { NodeFunction } from './node-function.ts';
import { rotateSecrets } from './permissions/logins.ts';

export interface PasswordRotationProps {
  readonly deployment: Deployment;
  readonly buildFolder: string;
}

/** The function that rotates the passwords of logins, and the schedules of those that are configured to be. */
export class PasswordRotation extends Construct {
  constructor(scope: Construct, id: string, { deployment, buildFolder }: PasswordRotationProps) {
    super(scope, id);
    const rotated = deployment.databases.flatMap(({ id: database, login, rotate_password_days: days, ...rest }) =>
      days !== undefined && login.type === 'secret' ? [{ ...rest, database, days, arn: login.secret_arn }] : [],
    );
    const { fn } = new NodeFunction(this, 'Rotate', {
      deployment,
      buildFolder,
      name: 'rotate-password',
      description: 'Rotates the passwords of logins for Secrets Manager',
      timeout: Duration.minutes(1),
      memoryMegabytes: 256,
      layers: [configurationLayer(this, buildFolder, deployment)],
      environment: { configurationPath: layerPaths.configuration },
      statements: rotateSecrets(this, rotated),
      vpc: deployment.databases.find(({ vpc }) => vpc)?.vpc,
    });
    for (const { database, days, arn } of rotated) {
      const permission = new lambda.CfnPermission(this, `Of${database}`, {
        action: 'lambda:InvokeFunction',
        functionName: fn.functionArn,
        principal: 'secretsmanager.amazonaws.com',
        sourceArn: arn,
      });
      const schedule = new secretsmanager.CfnRotationSchedule(this, `Schedule${database}`, {
        secretId: arn,
        rotationLambdaArn: fn.functionArn,
        rotationRules: { automaticallyAfterDays: days },
        // A deployment must not change a password by the way.
        rotateImmediatelyOnUpdate: false,
      });
      schedule.addDependency(permission);
    }
  }
}
