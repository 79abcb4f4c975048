import * as z from 'zod';
import type { Permissions } from '../iam/access.ts';
import type { Resource } from './intrinsics.ts';
import { statementsOf } from './statements.ts';

const keySchema = z.array(z.object({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) }));
const tableSchema = z.object({
  KeySchema: keySchema,
  GlobalSecondaryIndexes: z.array(z.object({ IndexName: z.string(), KeySchema: keySchema })).default([]),
  SSESpecification: z.object({ KMSMasterKeyId: z.string().optional() }).optional(),
});
const bucketSchema = z.object({
  BucketEncryption: z.object({
    ServerSideEncryptionConfiguration: z.array(
      z.object({ ServerSideEncryptionByDefault: z.object({ KMSMasterKeyID: z.string().optional() }) }),
    ),
  }),
});
const functionSchema = z.object({ Role: z.string() });

/** What the policies of the templates let each function do, and the keys under which what they use is encrypted. */
export function readPermissions(resources: readonly Resource[]): Permissions {
  const ofType = (type: string) => resources.filter((resource) => resource.type === type);
  const statements = statementsOf(resources);
  const roleNames = new Map(ofType('AWS::IAM::Role').map(({ arn, name }) => [arn, name]));
  return {
    callers: Object.fromEntries(
      ofType('AWS::Lambda::Function').map(({ name, properties }) => {
        const role = roleNames.get(functionSchema.parse(properties).Role) ?? name;
        const own = statements
          .filter(({ roles, principal }) => principal === undefined && roles.includes(name))
          .map(({ effect, actions, resources, conditions }) => ({ effect, actions, resources, conditions }));
        return [name, { role, statements: own }];
      }),
    ),
    tables: Object.fromEntries(
      ofType('AWS::DynamoDB::Table').map(({ name, properties }) => {
        const { KeySchema, GlobalSecondaryIndexes, SSESpecification } = tableSchema.parse(properties);
        const keyArn = SSESpecification?.KMSMasterKeyId;
        const partitionKeys = {
          '': partitionOf(KeySchema),
          ...Object.fromEntries(GlobalSecondaryIndexes.map((each) => [each.IndexName, partitionOf(each.KeySchema)])),
        };
        return [name, { partitionKeys, ...(keyArn === undefined ? {} : { keyArn }) }];
      }),
    ),
    bucketKeys: Object.fromEntries(
      ofType('AWS::S3::Bucket').flatMap(({ name, properties }) => {
        const parsed = bucketSchema.safeParse(properties);
        const [rule] = parsed.data?.BucketEncryption.ServerSideEncryptionConfiguration ?? [];
        const keyArn = rule?.ServerSideEncryptionByDefault.KMSMasterKeyID;
        return keyArn === undefined ? [] : [[name, keyArn]];
      }),
    ),
  };
}

function partitionOf(key: z.output<typeof keySchema>): string {
  return key.find(({ KeyType }) => KeyType === 'HASH')?.AttributeName ?? '';
}
