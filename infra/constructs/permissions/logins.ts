import { ArnFormat, Stack } from 'aws-cdk-lib';
import type * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { Deployment } from '../../config/schema.ts';
import { allow } from './allow.ts';

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
    if (login.type === 'passwordless') return [];
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
