import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import { checkDeployment } from '../../infra/config/load.ts';
import type { DeploymentInput } from '../../infra/config/schema.ts';
import { statementsOf } from './support/policies.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

const copied: DeploymentInput = { ...example, copies: { region: 'eu-west-1' } };
const locked: DeploymentInput = {
  ...copied,
  removal_policy: 'destroy',
  backups: { object_lock: { mode: 'compliance', days: 35 } },
  retention: { expiry: null },
};

let plain: Synthesized;
let withCopies: Synthesized;
let withLock: Synthesized;
// Each synthesis fails unless cdk-nag is content.
beforeAll(() => {
  plain = synthesize(example);
  withCopies = synthesize(copied);
  withLock = synthesize(locked);
});
afterAll(() => {
  for (const synthesized of [plain, withCopies, withLock]) synthesized?.remove();
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
    const actions = statementsOf(plain)
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

  it('locks every new object, and each copy, in the mode and for the days of the configuration', () => {
    for (const name of ['Backups', 'Copies']) {
      expect(withLock.one('AWS::S3::Bucket', name).properties, name).toMatchObject({
        ObjectLockEnabled: true,
        ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 35 } } },
        VersioningConfiguration: { Status: 'Enabled' },
      });
    }
    const governed = synthesize({ ...example, backups: { object_lock: { mode: 'governance', days: 2 } } });
    governed.remove();
    expect(governed.one('AWS::S3::Bucket', 'Backups').properties.ObjectLockConfiguration).toMatchObject({
      Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 2 } },
    });
  });

  it('is overridden by no function', () => {
    const bypass = statementsOf(withLock).flatMap(({ effect, actions }) => (effect === 'Allow' ? actions : []));
    expect(bypass.filter((action) => /BypassGovernance|PutObjectRetention|DeleteObjectVersion/.test(action))).toEqual(
      [],
    );
  });

  it('is told to the functions', () => {
    expect(checkDeployment(locked, 'it').backups.object_lock).toEqual({ mode: 'compliance', days: 35 });
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
    const found = statementsOf(withCopies).filter(
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
});
