import { expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import { plain } from './support/plain.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

/** Of what holds data: the properties whose change makes CloudFormation put another resource in its place. */
const replacing: Readonly<Record<string, readonly string[]>> = {
  'AWS::DynamoDB::Table': ['TableName', 'KeySchema', 'LocalSecondaryIndexes', 'ImportSourceSpecification'],
  'AWS::S3::Bucket': ['BucketName', 'BucketNamePrefix'],
  'AWS::KMS::Key': ['KeySpec', 'KeyUsage', 'MultiRegion', 'Origin'],
  'AWS::Cognito::UserPool': ['UsernameAttributes', 'AliasAttributes', 'UsernameConfiguration'],
  'AWS::ApiGateway::RestApi': ['ApiKeySourceType'],
  'AWS::Scheduler::ScheduleGroup': ['Name'],
};

/** By logical id, what holds data with those properties. */
function kept({ app: { resources } }: Synthesized): Record<string, unknown> {
  return Object.fromEntries(
    resources.flatMap(({ type, logicalId, properties }) => {
      const names = replacing[type];
      if (!names) return [];
      const found = names.filter((name) => properties[name] !== undefined);
      return [[logicalId, Object.fromEntries(found.map((name) => [name, properties[name]]))]];
    }),
  );
}

// Whoever changes one of these, or its logical id, loses what existing deployments keep in it: add others, and leave these.
it('what holds data stays where it is when an existing deployment is updated', async () => {
  expect(kept(await synthesize(example))).toMatchInlineSnapshot(`
    {
      "AccessLogs8B620ECA": {},
      "Audit3D8ADE0A": {
        "KeySchema": [
          {
            "AttributeName": "pk",
            "KeyType": "HASH",
          },
          {
            "AttributeName": "sk",
            "KeyType": "RANGE",
          },
        ],
      },
      "AuditArchive60EBC247": {},
      "AuditKeyB2DBB069": {
        "KeySpec": "ECC_NIST_P256",
        "KeyUsage": "SIGN_VERIFY",
      },
      "BackupKey60B97760": {
        "MultiRegion": true,
      },
      "Backups9A29A52D": {},
      "DataKey17AFBB84": {},
      "Downloads22991465": {},
      "MaskingKey3E539EA1": {
        "KeySpec": "HMAC_256",
        "KeyUsage": "GENERATE_VERIFY_MAC",
        "MultiRegion": true,
      },
      "RoutesApi60D8693E": {},
      "SchedulesGroupD276B6F4": {
        "Name": "dbms-backups",
      },
      "State1C20CC9A": {
        "KeySchema": [
          {
            "AttributeName": "pk",
            "KeyType": "HASH",
          },
          {
            "AttributeName": "sk",
            "KeyType": "RANGE",
          },
        ],
      },
    }
  `);
  expect(kept(await synthesize(plain))).toMatchInlineSnapshot(`
    {
      "AccessLogs8B620ECA": {},
      "Audit3D8ADE0A": {
        "KeySchema": [
          {
            "AttributeName": "pk",
            "KeyType": "HASH",
          },
          {
            "AttributeName": "sk",
            "KeyType": "RANGE",
          },
        ],
      },
      "AuditArchive60EBC247": {},
      "AuditKeyB2DBB069": {
        "KeySpec": "ECC_NIST_P256",
        "KeyUsage": "SIGN_VERIFY",
      },
      "BackupKey60B97760": {
        "MultiRegion": true,
      },
      "Backups9A29A52D": {},
      "DataKey17AFBB84": {},
      "Downloads22991465": {},
      "MaskingKey3E539EA1": {
        "KeySpec": "HMAC_256",
        "KeyUsage": "GENERATE_VERIFY_MAC",
        "MultiRegion": true,
      },
      "RoutesApi60D8693E": {},
      "SchedulesGroupD276B6F4": {
        "Name": "plain-backups",
      },
      "State1C20CC9A": {
        "KeySchema": [
          {
            "AttributeName": "pk",
            "KeyType": "HASH",
          },
          {
            "AttributeName": "sk",
            "KeyType": "RANGE",
          },
        ],
      },
      "UserPoolUsers2C3B5210": {
        "UsernameAttributes": [
          "email",
        ],
        "UsernameConfiguration": {
          "CaseSensitive": false,
        },
      },
    }
  `);
});
