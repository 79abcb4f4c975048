import { randomBytes } from 'node:crypto';
import {
  type CreateTableCommandInput,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  ResourceInUseException,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { AlreadyExistsException, KMSClient, ReplicateKeyCommand } from '@aws-sdk/client-kms';
import {
  CreateBucketCommand,
  HeadBucketCommand,
  PutBucketPolicyCommand,
  PutBucketReplicationCommand,
  PutObjectLockConfigurationCommand,
  PutPublicAccessBlockCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { ConflictException, CreateScheduleGroupCommand, SchedulerClient } from '@aws-sdk/client-scheduler';
import { DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import { createTable } from './aws/dynamodb/create-table.ts';
import { keySpecs } from './aws/kms.ts';
import type { LocalServices } from './aws/services.ts';
import { region } from './template/identities.ts';
import type { Resource } from './template/intrinsics.ts';

type Services = Pick<LocalServices, 'endpoints' | 'createKey' | 'putSecret' | 'putSchedule'>;

const keyElement = z.object({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) });
const tableSchema = z.object({
  KeySchema: z.array(keyElement),
  AttributeDefinitions: z.array(z.object({ AttributeName: z.string(), AttributeType: z.enum(['S', 'N', 'B']) })),
  GlobalSecondaryIndexes: z
    .array(
      z.object({
        IndexName: z.string(),
        KeySchema: z.array(keyElement),
        Projection: z.object({
          ProjectionType: z.enum(['ALL', 'KEYS_ONLY', 'INCLUDE']),
          NonKeyAttributes: z.array(z.string()).optional(),
        }),
      }),
    )
    .default([]),
  TimeToLiveSpecification: z.object({ AttributeName: z.string().optional(), Enabled: z.boolean() }).optional(),
});

const lockSchema = z.object({ Mode: z.enum(['GOVERNANCE', 'COMPLIANCE']), Days: z.number() });
const bucketSchema = z.object({
  ObjectLockConfiguration: z.object({ Rule: z.object({ DefaultRetention: lockSchema }) }).optional(),
  PublicAccessBlockConfiguration: z.record(z.string(), z.boolean()).optional(),
});

const replicatedSchema = z.object({
  ReplicationConfiguration: z
    .object({
      Role: z.string(),
      Rules: z.array(
        z.object({
          Status: z.enum(['Enabled', 'Disabled']),
          Filter: z.object({ Prefix: z.string() }),
          Destination: z.object({
            Bucket: z.string(),
            EncryptionConfiguration: z.object({ ReplicaKmsKeyID: z.string() }),
          }),
        }),
      ),
    })
    .optional(),
});

const policySchema = z.object({ Bucket: z.string(), PolicyDocument: z.looseObject({}) });

const keySchema = z.object({
  Description: z.string().optional(),
  EnableKeyRotation: z.boolean().default(false),
  KeySpec: z.enum(keySpecs).optional(),
  MultiRegion: z.boolean().default(false),
});
const replicaSchema = z.object({ PrimaryKeyArn: z.string() });
const aliasSchema = z.object({ TargetKeyId: z.string() });
const secretSchema = z.object({ SecretString: z.string().optional() });
const scheduleSchema = z.object({
  GroupName: z.string().optional(),
  ScheduleExpression: z.string(),
  ScheduleExpressionTimezone: z.string().optional(),
  State: z.enum(['ENABLED', 'DISABLED']).optional(),
  FlexibleTimeWindow: z.object({
    Mode: z.enum(['OFF', 'FLEXIBLE']),
    MaximumWindowInMinutes: z.number().int().optional(),
  }),
  Target: z.looseObject({ Arn: z.string(), RoleArn: z.string(), Input: z.string().optional() }),
});

/**
 * Makes what the template declares and the stand-ins keep: keys, tables, buckets, secrets, schedules. What is there stays
 * as it is, so that state survives a restart; a schedule takes the template's form again.
 *
 * @throws the SDK's errors, and ZodError when a resource is declared in a form that is not known here.
 */
export async function provision(resources: readonly Resource[], services: Services): Promise<void> {
  const clientOptions = (endpoint: string) => ({
    endpoint,
    region,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const kms = new KMSClient(clientOptions(services.endpoints.kms));
  const dynamodb = new DynamoDBClient(clientOptions(services.endpoints.dynamodb));
  const s3 = new S3Client({ ...clientOptions(services.endpoints.s3), forcePathStyle: true });
  const secrets = new SecretsManagerClient(clientOptions(services.endpoints.secretsmanager));
  const scheduler = new SchedulerClient(clientOptions(services.endpoints.scheduler));
  const ofType = (...types: string[]) => resources.filter(({ type }) => types.includes(type));
  try {
    const aliases = ofType('AWS::KMS::Alias').map(({ name, properties }) => ({
      name,
      key: aliasSchema.parse(properties).TargetKeyId,
    }));
    for (const { name, arn, properties } of ofType('AWS::KMS::Key')) {
      const { Description, EnableKeyRotation, KeySpec, MultiRegion } = keySchema.parse(properties);
      const alias = aliases.find(({ key }) => key === name || key === arn)?.name;
      await services.createKey({
        keyId: name,
        rotation: EnableKeyRotation,
        multiRegion: MultiRegion,
        ...(Description === undefined ? {} : { description: Description }),
        ...(KeySpec === undefined ? {} : { keySpec: KeySpec }),
        ...(alias === undefined ? {} : { alias }),
      });
    }
    for (const { properties, region: ofStack = region } of ofType('AWS::KMS::ReplicaKey')) {
      const { PrimaryKeyArn: KeyId } = replicaSchema.parse(properties);
      await kms.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: ofStack })).catch((error: unknown) => {
        if (!(error instanceof AlreadyExistsException)) throw error;
      });
    }
    for (const resource of ofType('AWS::DynamoDB::Table', 'AWS::DynamoDB::GlobalTable'))
      await makeTable(dynamodb, resource);
    for (const { name, properties } of ofType('AWS::S3::Bucket'))
      await makeBucket(s3, name, bucketSchema.parse(properties));
    // Once all buckets are there, as one names another.
    for (const { name, properties } of ofType('AWS::S3::Bucket')) {
      const { ReplicationConfiguration } = replicatedSchema.parse(properties);
      if (ReplicationConfiguration)
        await s3.send(new PutBucketReplicationCommand({ Bucket: name, ReplicationConfiguration }));
    }
    for (const { properties } of ofType('AWS::S3::BucketPolicy')) {
      const { Bucket, PolicyDocument } = policySchema.parse(properties);
      await s3.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(PolicyDocument) }));
    }
    for (const { name, properties } of ofType('AWS::SecretsManager::Secret')) {
      const { SecretString } = secretSchema.parse(properties);
      const exists = await secrets.send(new DescribeSecretCommand({ SecretId: name })).then(
        () => true,
        () => false,
      );
      if (!exists) await services.putSecret(name, SecretString ?? randomBytes(24).toString('base64url'));
    }
    for (const { name } of ofType('AWS::Scheduler::ScheduleGroup')) {
      await scheduler.send(new CreateScheduleGroupCommand({ Name: name })).catch((error: unknown) => {
        if (!(error instanceof ConflictException)) throw error;
      });
    }
    for (const { name, properties } of ofType('AWS::Scheduler::Schedule'))
      await services.putSchedule(name, definedOnly(scheduleSchema.parse(properties)));
  } finally {
    for (const client of [kms, dynamodb, s3, secrets, scheduler]) client.destroy();
  }
}

async function makeTable(client: DynamoDBClient, { name, properties }: Resource): Promise<void> {
  const { TimeToLiveSpecification: ttl, GlobalSecondaryIndexes, ...table } = tableSchema.parse(properties);
  const input: CreateTableCommandInput = {
    ...table,
    TableName: name,
    BillingMode: 'PAY_PER_REQUEST',
    ...(GlobalSecondaryIndexes.length === 0
      ? {}
      : {
          GlobalSecondaryIndexes: GlobalSecondaryIndexes.map(({ Projection, ...index }) => ({
            ...index,
            Projection: definedOnly(Projection),
          })),
        }),
  };
  await createTable(client, input).catch((error: unknown) => {
    if (!(error instanceof ResourceInUseException)) throw error;
  });
  if (!ttl?.Enabled || ttl.AttributeName === undefined) return;
  const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName: name }));
  if (TimeToLiveDescription?.TimeToLiveStatus === 'ENABLED') return;
  await client.send(
    new UpdateTimeToLiveCommand({
      TableName: name,
      TimeToLiveSpecification: { Enabled: true, AttributeName: ttl.AttributeName },
    }),
  );
}

async function makeBucket(
  client: S3Client,
  name: string,
  { ObjectLockConfiguration, PublicAccessBlockConfiguration }: z.output<typeof bucketSchema>,
): Promise<void> {
  const exists = await client.send(new HeadBucketCommand({ Bucket: name })).then(
    () => true,
    () => false,
  );
  if (!exists) await client.send(new CreateBucketCommand({ Bucket: name }));
  if (PublicAccessBlockConfiguration)
    await client.send(new PutPublicAccessBlockCommand({ Bucket: name, PublicAccessBlockConfiguration }));
  const lock = ObjectLockConfiguration?.Rule.DefaultRetention;
  if (!lock) return;
  await client.send(
    new PutObjectLockConfigurationCommand({
      Bucket: name,
      ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: lock } },
    }),
  );
}

type Defined<Value> = { [Key in keyof Value]: Exclude<Value[Key], undefined> };

/** Drops properties that are undefined, which exact optional properties do not take. */
function definedOnly<Value extends object>(value: Value): Defined<Value> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Defined<Value>;
}
