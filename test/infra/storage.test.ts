import { beforeAll, describe, expect, it } from 'vitest';
import example from '../../infra/config/example.ts';
import { statementsOf } from '../../local/template/statements.ts';
import { stateKeys } from '../../shared/state/table.ts';
import { plain } from './support/plain.ts';
import { type Synthesized, synthesize } from './support/synthesize.ts';

let full: Synthesized;
let bare: Synthesized;
beforeAll(async () => {
  full = await synthesize(example);
  bare = await synthesize(plain);
});

describe('the storage', () => {
  it('signs audit trails with a key that can do nothing else', () => {
    expect(full.one('AWS::KMS::Key', 'AuditKey').properties).toMatchObject({
      KeySpec: 'ECC_NIST_P256',
      KeyUsage: 'SIGN_VERIFY',
      PendingWindowInDays: 30,
    });
  });

  it('has one key that encrypts, which rotates', () => {
    expect(full.one('AWS::KMS::Key', 'BackupKey').properties).toMatchObject({
      EnableKeyRotation: true,
      PendingWindowInDays: 30,
    });
    expect(full.one('AWS::KMS::Alias', 'BackupKey').properties.AliasName).toBe('alias/dbms-backups');
  });

  it('keeps backups under that key, in versions, and ends forgotten uploads', () => {
    expect(full.one('AWS::S3::Bucket', 'Backups').properties).toMatchObject({
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          {
            BucketKeyEnabled: true,
            ServerSideEncryptionByDefault: {
              SSEAlgorithm: 'aws:kms',
              KMSMasterKeyID: full.one('AWS::KMS::Key', 'BackupKey').arn,
            },
          },
        ],
      },
      VersioningConfiguration: { Status: 'Enabled' },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      LoggingConfiguration: { DestinationBucketName: full.one('AWS::S3::Bucket', 'AccessLogs').name },
    });
    const rules = (synthesized: Synthesized) =>
      (synthesized.one('AWS::S3::Bucket', 'Backups').properties.LifecycleConfiguration as { Rules: unknown[] }).Rules;
    const rule = (days: number) => ({
      Status: 'Enabled',
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
      NoncurrentVersionExpiration: { NoncurrentDays: days },
      ExpiredObjectDeleteMarker: true,
    });
    // Nothing in it lets a backup expire: retention is the system's own.
    expect([rules(full), rules(bare)]).toEqual([[rule(30)], [rule(3)]]);
  });

  it('keeps downloads under that key for a day, in no versions, unlocked, and ends forgotten uploads', () => {
    const { properties } = full.one('AWS::S3::Bucket', 'Downloads');
    expect(properties).toMatchObject({
      BucketEncryption: full.one('AWS::S3::Bucket', 'Backups').properties.BucketEncryption,
      LifecycleConfiguration: {
        Rules: [{ Status: 'Enabled', ExpirationInDays: 1, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 } }],
      },
    });
    for (const name of ['VersioningConfiguration', 'ObjectLockEnabled', 'ReplicationConfiguration'])
      expect(properties).not.toHaveProperty(name);
  });

  it('locks what is archived and signed of the audit trails, and lets nobody hide it', async () => {
    const bucket = full.one('AWS::S3::Bucket', 'AuditArchive');
    expect(bucket.properties).toMatchObject({
      ObjectLockEnabled: true,
      ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 365 } } },
      VersioningConfiguration: { Status: 'Enabled' },
      BucketEncryption: full.one('AWS::S3::Bucket', 'Backups').properties.BucketEncryption,
    });
    const policy = full.one('AWS::S3::BucketPolicy', 'AuditArchive');
    const refusals = statementsOf(full.app.resources).filter(
      ({ holder, actions }) => holder.logicalId === policy.logicalId && actions.includes('s3:DeleteObject'),
    );
    expect(refusals).toMatchObject([
      { effect: 'Deny', principal: { AWS: '*' }, resources: [`${bucket.arn}/*`], conditions: {} },
    ]);
    expect(new Set(refusals.flatMap(({ actions }) => actions))).toEqual(
      new Set(['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:BypassGovernanceRetention']),
    );
    const strict = await synthesize({ ...example, audit: { object_lock: { mode: 'compliance', days: 2192 } } });
    expect(strict.one('AWS::S3::Bucket', 'AuditArchive').properties.ObjectLockConfiguration).toMatchObject({
      Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 2192 } },
    });
  });

  it('is closed to the public and to plain text', () => {
    const buckets = full.ofType('AWS::S3::Bucket');
    expect(buckets).toHaveLength(4);
    for (const { arn, name, properties } of buckets) {
      expect(properties.PublicAccessBlockConfiguration).toEqual({
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      });
      const policy = full.ofType('AWS::S3::BucketPolicy').find((each) => each.properties.Bucket === name);
      const everything = { Effect: 'Deny', Principal: { AWS: '*' }, Action: 's3:*', Resource: [arn, `${arn}/*`] };
      expect(policy?.properties.PolicyDocument).toMatchObject({
        Statement: expect.arrayContaining([
          { ...everything, Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
          { ...everything, Condition: { NumericLessThan: { 's3:TlsVersion': 1.2 } } },
        ]),
      });
    }
  });

  it.each(['Backups', 'Downloads', 'AuditArchive'])('refuses objects under any other encryption in %s', (id) => {
    const bucket = full.one('AWS::S3::Bucket', id);
    const refusal = (sid: string, key: string, value: string) => ({
      Sid: sid,
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: 's3:PutObject',
      Resource: `${bucket.arn}/*`,
      Condition: { Null: { [key]: 'false' }, StringNotEquals: { [key]: value } },
    });
    expect(full.one('AWS::S3::BucketPolicy', id).properties.PolicyDocument).toMatchObject({
      Statement: expect.arrayContaining([
        refusal('OnlyKms', 's3:x-amz-server-side-encryption', 'aws:kms'),
        refusal(
          'OnlyTheBackupKey',
          's3:x-amz-server-side-encryption-aws-kms-key-id',
          full.one('AWS::KMS::Key', 'BackupKey').arn,
        ),
      ]),
    });
  });

  it.each(['Downloads', 'Backups'])('binds presigned URLs of the bucket %s to the allowed ranges', (id) => {
    const bucket = full.one('AWS::S3::Bucket', id);
    expect(full.one('AWS::S3::BucketPolicy', id).properties.PolicyDocument).toMatchObject({
      Statement: expect.arrayContaining([
        {
          Sid: 'PresignedFromAllowedAddresses',
          Effect: 'Deny',
          Principal: { AWS: '*' },
          Action: ['s3:GetObject', 's3:GetObjectVersion'],
          Resource: `${bucket.arn}/*`,
          Condition: {
            StringEquals: { 's3:authType': 'REST-QUERY-STRING' },
            NotIpAddress: { 'aws:SourceIp': example.allowed_address_ranges },
          },
        },
      ]),
    });
  });

  it('has the two tables, recoverable, protected, encrypted and with a time to live', () => {
    const tables = full.ofType('AWS::DynamoDB::Table');
    expect(tables.map(({ logicalId }) => logicalId.slice(0, 5))).toEqual(['State', 'Audit']);
    for (const { properties } of tables) {
      expect(properties).toMatchObject({
        BillingMode: 'PAY_PER_REQUEST',
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        DeletionProtectionEnabled: true,
        TimeToLiveSpecification: { AttributeName: stateKeys.timeToLive, Enabled: true },
        SSESpecification: { SSEEnabled: true },
        KeySchema: [
          { AttributeName: stateKeys.partition, KeyType: 'HASH' },
          { AttributeName: stateKeys.sort, KeyType: 'RANGE' },
        ],
      });
    }
    expect(tables[0]?.properties.GlobalSecondaryIndexes).toMatchObject([{ IndexName: stateKeys.index }]);
  });

  it('outlives the app, unless the configuration says otherwise', () => {
    for (const type of ['AWS::KMS::Key', 'AWS::S3::Bucket', 'AWS::DynamoDB::Table']) {
      const policies = (synthesized: Synthesized) =>
        new Set(synthesized.written(type).map(({ DeletionPolicy }) => DeletionPolicy));
      expect([policies(full), policies(bare)], type).toEqual([new Set(['Retain']), new Set(['Delete'])]);
    }
    const isProtected = (synthesized: Synthesized) =>
      synthesized.ofType('AWS::DynamoDB::Table').map(({ properties }) => properties.DeletionProtectionEnabled);
    expect(isProtected(bare)).toEqual([false, false]);
  });
});
