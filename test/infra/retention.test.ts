import { beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import { checkDeployment } from '../../infra/config/load.ts';
import type { DeploymentInput } from '../../infra/config/schema.ts';
import { statementsOf } from '../../local/template/statements.ts';
import { circlesIn } from './support/cycles.ts';
import { everything } from './support/everything.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

const copied: DeploymentInput = { ...example, copies: { region: 'eu-west-1' } };
let plain: Synthesized;
let withCopies: Synthesized;
let withLock: Synthesized;
// Each synthesis fails unless cdk-nag is content.
beforeAll(async () => {
  plain = await synthesize(example);
  withCopies = await synthesize(copied);
  withLock = await synthesize(everything);
});

describe('expiry', () => {
  it('runs daily in the time zone of the schedules, and its failures end as dead letters', () => {
    const fn = plain.app.functions.find(({ name }) => name === 'dbms-expire-backups');
    const queue = plain.one('AWS::SQS::Queue', 'DeadLetters').arn;
    const schedule = plain.one('AWS::Scheduler::Schedule', 'Expiry');
    expect(schedule.properties).toMatchObject({
      Name: 'dbms-expire-backups',
      State: 'ENABLED',
      ScheduleExpression: 'cron(30 4 * * ? *)',
      ScheduleExpressionTimezone: 'Europe/Berlin',
      Target: { Arn: fn?.arn, DeadLetterConfig: { Arn: queue } },
    });
    expect([...(fn?.asyncConfigs.values() ?? [])]).toEqual([
      { maximumRetries: 1, maximumAgeSeconds: 6 * 3600, onFailure: queue },
    ]);
    expect(withLock.ofType('AWS::Scheduler::Schedule').map(({ name }) => name)).not.toContain('dbms-expire-backups');
  });

  it('can delete backups, and cannot read them', () => {
    const actions = statementsOf(plain.app.resources)
      .filter(({ roles }) => roles.includes('dbms-expire-backups'))
      .flatMap((statement) => statement.actions);
    expect(actions).toContain('s3:DeleteObject');
    expect(actions.filter((action) => /^kms:|^s3:GetObject$|^s3:Put|Version|Bypass/.test(action))).toEqual([]);
  });
});

describe('object lock', () => {
  it('is off unless the configuration asks for it', () => {
    const { properties } = plain.one('AWS::S3::Bucket', 'Backups');
    expect([properties.ObjectLockEnabled, properties.ObjectLockConfiguration]).toEqual([undefined, undefined]);
  });

  it('locks every new object, and each copy, in the mode and for the days of the configuration', async () => {
    for (const name of ['Backups', 'Copies']) {
      expect(withLock.one('AWS::S3::Bucket', name).properties, name).toMatchObject({
        ObjectLockEnabled: true,
        ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 35 } } },
        VersioningConfiguration: { Status: 'Enabled' },
      });
    }
    const governed = await synthesize({ ...example, backups: { object_lock: { mode: 'governance', days: 2 } } });
    expect(governed.one('AWS::S3::Bucket', 'Backups').properties.ObjectLockConfiguration).toMatchObject({
      Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 2 } },
    });
  });

  it('is overridden by no function', () => {
    // What empties the buckets of a removed stack deletes versions as far as no lock keeps them.
    const bypass = statementsOf(withLock.app.resources)
      .filter(({ effect, roles }) => effect === 'Allow' && !roles.includes('dbms-empty-bucket'))
      .flatMap(({ actions }) => actions);
    const all = statementsOf(withLock.app.resources).flatMap(({ effect, actions }) =>
      effect === 'Allow' ? actions : [],
    );
    expect(all.filter((action) => /BypassGovernance|PutObjectRetention/.test(action))).toEqual([]);
    expect(bypass.filter((action) => /BypassGovernance|PutObjectRetention|DeleteObjectVersion/.test(action))).toEqual(
      [],
    );
  });

  it('is told to the functions', () => {
    expect(checkDeployment(everything, 'it').backups.object_lock).toEqual({ mode: 'compliance', days: 35 });
  });
});

describe('copies', () => {
  const bucket = 'dbms-backup-copies-123456789012-eu-west-1';
  const alias = 'alias/dbms-backup-copies';

  it('are none unless the configuration names a region', () => {
    expect(plain.ofType('AWS::S3::Bucket')).toHaveLength(4);
    expect(plain.one('AWS::S3::Bucket', 'Backups').properties.ReplicationConfiguration).toBeUndefined();
  });

  it('are made of every object of a backup and of its deletion, under a key of the second region', () => {
    const { properties } = withCopies.one('AWS::S3::Bucket', 'Backups');
    expect(properties.ReplicationConfiguration).toMatchObject({
      Role: withCopies.one('AWS::IAM::Role', 'Replication').arn,
      Rules: [
        {
          Status: 'Enabled',
          Filter: { Prefix: 'databases/' },
          DeleteMarkerReplication: { Status: 'Enabled' },
          SourceSelectionCriteria: { SseKmsEncryptedObjects: { Status: 'Enabled' } },
          Destination: {
            Bucket: `arn:aws:s3:::${bucket}`,
            EncryptionConfiguration: { ReplicaKmsKeyID: `arn:aws:kms:eu-west-1:123456789012:${alias}` },
          },
        },
      ],
    });
    // The objects themselves are sealed with the backup key, which a replica can stand for in the second region.
    expect(withCopies.one('AWS::KMS::Key', 'BackupKey').properties.MultiRegion).toBe(true);
    expect(withCopies.one('AWS::KMS::Alias', 'CopiesKey').properties.AliasName).toBe(alias);
  });

  it('go to a bucket of their own, in its own stack, closed, versioned and encrypted', () => {
    const stack = withCopies.assembly.stacks.find(({ name }) => name === 'dbms-copies');
    expect(Object.values(stack?.template.Resources ?? {}).map(({ Type }) => Type)).toContain('AWS::S3::Bucket');
    expect(withCopies.one('AWS::S3::Bucket', 'Copies').properties).toMatchObject({
      BucketName: bucket,
      VersioningConfiguration: { Status: 'Enabled' },
      PublicAccessBlockConfiguration: { BlockPublicAcls: true, RestrictPublicBuckets: true },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      LifecycleConfiguration: { Rules: [{ NoncurrentVersionExpiration: { NoncurrentDays: 30 } }] },
    });
    const deletion = (synthesized: Synthesized) =>
      synthesized.written('AWS::S3::Bucket').map(({ DeletionPolicy }) => DeletionPolicy);
    expect([new Set(deletion(withCopies)), new Set(deletion(withLock))]).toEqual([
      new Set(['Retain']),
      new Set(['Delete']),
    ]);
  });

  it('are made by a role that can read just the backups and write just the copies', () => {
    const role = withCopies.one('AWS::IAM::Role', 'Replication');
    const backups = withCopies.one('AWS::S3::Bucket', 'Backups').arn;
    const found = statementsOf(withCopies.app.resources).filter(
      ({ roles, actions }) => roles.includes(role.name) && !actions.includes('sts:AssumeRole'),
    );
    const writes = found.filter(({ actions }) => actions.some((action) => /Replicate(Object|Delete)/.test(action)));
    expect(writes.flatMap(({ resources }) => resources)).toEqual([`arn:aws:s3:::${bucket}/databases/*`]);
    const reads = found.filter(({ actions }) => actions.some((action) => /^s3:(Get|List)/.test(action)));
    expect(reads.flatMap(({ resources }) => resources)).toEqual([backups, `${backups}/databases/*`]);
    const keys = found.filter(({ actions }) => actions.some((action) => action.startsWith('kms:')));
    expect(keys.map(({ actions, conditions }) => [actions, conditions])).toEqual([
      [
        ['kms:Decrypt'],
        {
          StringEquals: { 'kms:ViaService': 's3.eu-central-1.amazonaws.com' },
          StringLike: { 'kms:EncryptionContext:aws:s3:arn': [backups, `${backups}/*`] },
        },
      ],
      [
        ['kms:Encrypt', 'kms:GenerateDataKey'],
        {
          StringEquals: { 'kms:ViaService': 's3.eu-west-1.amazonaws.com' },
          StringLike: { 'kms:EncryptionContext:aws:s3:arn': [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`] },
          'ForAnyValue:StringEquals': { 'kms:ResourceAliases': alias },
        },
      ],
    ]);
  });

  it('need a region and an account, and another region', () => {
    const problem = (input: DeploymentInput) => {
      try {
        checkDeployment(input, 'it');
        return 'none';
      } catch (error) {
        return (error as Error).message.split('\n')[1];
      }
    };
    const { region: _, ...nowhere } = copied;
    const { account: __, ...nobody } = copied;
    const needs = 'copies.region: needs region and account to be set';
    expect([problem(nowhere), problem(nobody)]).toEqual([needs, needs]);
    expect(problem({ ...copied, copies: { region: 'eu-central-1' } })).toMatch(/is the region of the backups itself/);
  });

  it('tell of what S3 could not copy, and are looked at each hour', () => {
    const topic = withCopies.one('AWS::SNS::Topic').arn;
    const { properties } = withCopies.one('AWS::S3::Bucket', 'Backups');
    expect(properties).toMatchObject({
      ReplicationConfiguration: { Rules: [{ Destination: { Metrics: { Status: 'Enabled' } } }] },
      NotificationConfiguration: {
        TopicConfigurations: [
          { Event: 's3:Replication:OperationFailedReplication', Topic: withCopies.one('AWS::SNS::Topic').ref },
        ],
      },
    });
    // S3 sends a first message when the bucket is made.
    const [bucketAsWritten] = withCopies
      .written('AWS::S3::Bucket')
      .filter(({ Properties }) => Properties?.NotificationConfiguration);
    expect(bucketAsWritten?.DependsOn).toEqual(expect.arrayContaining([expect.stringMatching(/^FailedCopiesPolicy/)]));
    const publishing = statementsOf(withCopies.app.resources).filter(({ actions }) => actions.includes('sns:Publish'));
    expect(publishing).toMatchObject([
      { effect: 'Deny' },
      {
        principal: { Service: 's3.amazonaws.com' },
        conditions: { StringEquals: { 'aws:SourceAccount': '123456789012' } },
      },
    ]);
    const fn = withCopies.app.functions.find(({ name }) => name === 'dbms-watch-copies');
    expect(withCopies.ofType('AWS::SNS::Subscription').map((each) => each.properties)).toMatchObject([
      { Protocol: 'lambda', Endpoint: fn?.arn },
    ]);
    expect(topic).toBeTruthy();
    const rules = withCopies.app.rules.filter(({ targets }) => targets.some(({ arn }) => arn === fn?.arn));
    expect(rules).toHaveLength(1);
    const actions = statementsOf(withCopies.app.resources)
      .filter(({ roles }) => roles.includes('dbms-watch-copies'))
      .flatMap((statement) => statement.actions);
    expect(actions.filter((action) => /^kms:|^s3:Put|^s3:Delete/.test(action))).toEqual([]);
    expect(plain.app.functions.map(({ name }) => name)).not.toContain('dbms-watch-copies');
  });

  it('can be opened by a replica of the key in the second region, made after the key and by its ARN', () => {
    const stack = withCopies.assembly.stacks.find(({ name }) => name === 'dbms-replica-key');
    expect(stack?.region).toBe('eu-west-1');
    const [replica] = withCopies.written('AWS::KMS::ReplicaKey');
    expect(replica?.Properties?.PrimaryKeyArn).toEqual({
      'Fn::GetStackOutput': { StackName: 'dbms-storage', OutputName: 'BackupKeyArn', Region: 'eu-central-1' },
    });
    const key = withCopies.one('AWS::KMS::Key', 'BackupKey').name;
    expect(withCopies.one('AWS::KMS::ReplicaKey').arn).toMatch(new RegExp(`:kms:eu-west-1:[0-9]+:key/${key}$`));
    expect(replica?.DeletionPolicy).toBe('Retain');
    const outputs = (name: string) =>
      Object.keys(withCopies.assembly.stacks.find((each) => each.name === name)?.template.Outputs ?? {});
    expect([outputs('dbms-copies'), outputs('dbms-replica-key')]).toEqual([
      expect.arrayContaining(['CopiesBucket', 'CopiesKeyArn']),
      ['ReplicaKeyArn'],
    ]);
  });
});

describe('backups that are there already', () => {
  const existing = {
    bucket: 'dbms-backup-copies-123456789012-eu-west-1',
    key_arn: 'arn:aws:kms:eu-west-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef',
    bucket_key_arn: 'arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000',
  };

  it('take the place of a new bucket and key, and are opened by both keys', async () => {
    const west = await synthesize({ ...example, prefix: 'west', existing_backups: existing });
    expect(west.ofType('AWS::S3::Bucket').map(({ logicalId }) => logicalId.replace(/[0-9A-F]{8}$/, ''))).toEqual([
      'AccessLogs',
      'Downloads',
      'AuditArchive',
    ]);
    expect(west.ofType('AWS::KMS::Key').map(({ properties }) => properties.KeySpec)).toEqual(['ECC_NIST_P256']);
    const restore = west.app.functions.find(({ name }) => name === 'west-restore');
    expect(restore?.environment).toMatchObject({ BACKUP_BUCKET: existing.bucket, BACKUP_KEY_ARN: existing.key_arn });
    const opening = statementsOf(west.app.resources).filter(
      ({ roles, actions, resources }) =>
        roles.includes('west-restore') && actions.includes('kms:Decrypt') && resources.includes(existing.key_arn),
    );
    expect(opening.flatMap(({ resources }) => resources)).toContain(existing.bucket_key_arn);
    const writing = statementsOf(west.app.resources).filter(({ actions }) => actions.includes('kms:GenerateDataKey'));
    expect(writing.flatMap(({ resources }) => resources)).not.toContain(existing.bucket_key_arn);
  });

  it('cannot be copied by a deployment that does not own them', () => {
    expect(() => checkDeployment({ ...copied, existing_backups: existing }, 'it')).toThrow(
      /copies: cannot be made of existing_backups/,
    );
  });
});

describe('removal', () => {
  it('goes in an order that CloudFormation can find', () => {
    for (const synthesized of [plain, withCopies, withLock]) expect(circlesIn(synthesized)).toEqual([]);
  });

  it('empties each bucket once its policy is gone, and only where the configuration destroys', () => {
    const emptied = withLock.ofType('Custom::EmptiedBucket').map(({ properties }) => properties.BucketName);
    expect(emptied.toSorted()).toEqual(
      withLock
        .ofType('AWS::S3::Bucket')
        .map(({ name }) => name)
        .sort(),
    );
    const policies = withLock.written('AWS::S3::BucketPolicy');
    expect(policies).toHaveLength(emptied.length);
    for (const { DependsOn = [] } of policies) expect(DependsOn.join()).toMatch(/EmptiedBuckets/);
    for (const { properties } of withLock.ofType('AWS::S3::Bucket')) {
      expect(properties.Tags).toContainEqual({ Key: 'emptied-on-removal', Value: 'true' });
    }
    expect(withCopies.ofType('Custom::EmptiedBucket')).toEqual([]);
    expect(withCopies.app.functions.map(({ name }) => name)).not.toContain('dbms-empty-bucket');
    for (const { properties } of withCopies.ofType('AWS::S3::Bucket')) {
      expect(JSON.stringify(properties.Tags)).not.toContain('emptied-on-removal');
    }
  });
});
