import { CfnOutput, Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as cognito from 'aws-cdk-lib/aws-cognito';
import { Construct } from 'constructs';
import { roleSchema } from '../../shared/contract/roles.ts';
import type { Deployment } from '../config/schema.ts';

/** The administrators, for a deployment without an identity provider of its own: a Cognito user pool with a group for each role. */
export class UserPool extends Construct {
  /** `iss` of its tokens. */
  readonly issuer: string;
  /** `aud` of its tokens. */
  readonly audience: string;

  constructor(scope: Construct, id: string, deployment: Deployment) {
    super(scope, id);
    const pool = new cognito.UserPool(this, 'Users', {
      userPoolName: deployment.prefix,
      // Only an administrator of the AWS account lets somebody in.
      selfSignUpEnabled: false,
      signInAliases: { email: true },
      autoVerify: { email: true },
      signInCaseSensitive: false,
      passwordPolicy: {
        minLength: 14,
        requireLowercase: true,
        requireUppercase: true,
        requireDigits: true,
        requireSymbols: true,
        tempPasswordValidity: Duration.days(3),
      },
      mfa: deployment.user_pool.mfa === 'required' ? cognito.Mfa.REQUIRED : cognito.Mfa.OPTIONAL,
      mfaSecondFactor: { otp: true, sms: false },
      accountRecovery: cognito.AccountRecovery.EMAIL_ONLY,
      deletionProtection: deployment.deletion_protection,
      removalPolicy: deployment.removal_policy === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    Validations.of(pool).acknowledge(
      {
        id: 'AwsSolutions-COG2',
        reason: 'Required unless the configuration leaves it to each user, for scripts that sign in.',
      },
      { id: 'AwsSolutions-COG8', reason: 'The Plus plan costs per user; accounts are made by an administrator alone.' },
    );
    for (const groupName of roleSchema.options)
      new cognito.UserPoolGroup(this, groupName, { userPool: pool, groupName });
    const client = pool.addClient('Client', {
      authFlows: { userSrp: true, adminUserPassword: true },
      // No OAuth redirect: there is no page to return to.
      disableOAuth: true,
      generateSecret: false,
      preventUserExistenceErrors: true,
      enableTokenRevocation: true,
      idTokenValidity: Duration.hours(1),
      accessTokenValidity: Duration.hours(1),
      refreshTokenValidity: Duration.hours(12),
    });
    this.issuer = pool.userPoolProviderUrl;
    this.audience = client.userPoolClientId;
    new CfnOutput(this, 'UserPoolId', { value: pool.userPoolId });
    new CfnOutput(this, 'UserPoolClientId', { value: client.userPoolClientId });
  }
}
