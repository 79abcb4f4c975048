import { controlsOf } from '../controls.ts';
import { quoteShell } from '../quote-shell.ts';
import type { BucketReading, InstanceReading } from '../readings/aws.ts';
import {
  aws,
  defineRule,
  fail,
  type Judgement,
  type Mend,
  notApplicable,
  pass,
  type Rule,
  type RuleLevel,
} from '../rule.ts';

const json = (value: unknown): string => quoteShell(JSON.stringify(value));
const DAY_MS = 86_400_000;
const SECRET_DAYS = 90;
const ROTATION_DAYS = 30;
const RETENTION_DAYS = 7;

/** A policy with what it has, and a refusal of all that comes without TLS. */
function withTlsOnly({ name, policy }: BucketReading): unknown {
  const refusal = {
    Sid: 'OnlyTls',
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:*',
    Resource: [`arn:aws:s3:::${name}`, `arn:aws:s3:::${name}/*`],
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  };
  return { ...(policy ?? { Version: '2012-10-17' }), Statement: [...(policy?.Statement ?? []), refusal] };
}

interface InstanceRule {
  id: string;
  title: string;
  level: RuleLevel;
  expected: string;
  topic: Parameters<typeof controlsOf>[0];
  isRight(instance: NonNullable<InstanceReading>): boolean;
  found(instance: NonNullable<InstanceReading>): string;
  /** Options of `aws rds modify-db-instance`. */
  change: string;
}

const modify = (id: string, change: string): Mend[] =>
  aws(`aws rds modify-db-instance --db-instance-identifier ${quoteShell(id)} ${change} --apply-immediately`);

const instanceRule = ({ topic, isRight, found, change, ...rule }: InstanceRule): Rule<'instance'> =>
  defineRule({
    ...rule,
    reads: 'instance',
    controls: controlsOf(topic),
    judge: (instance): Judgement => {
      if (instance === null) return notApplicable('The server is no instance of RDS');
      return isRight(instance) ? pass(found(instance)) : fail(found(instance), modify(instance.id, change));
    },
  });

const onOff = (value: boolean): string => (value ? 'on' : 'off');

/** How AWS keeps the backups, the key, the secret and the instance. */
export const awsRules = [
  defineRule({
    id: 'bucket_public_access',
    title: 'The bucket of the backups is closed to the public',
    level: 'critical',
    reads: 'bucket',
    expected: 'All four parts of S3 Block Public Access are on',
    controls: controlsOf('exposure'),
    judge: ({ name, open }) => {
      if (open.length === 0) return pass('All four are on');
      const all = {
        BlockPublicAcls: true,
        IgnorePublicAcls: true,
        BlockPublicPolicy: true,
        RestrictPublicBuckets: true,
      };
      const options = `--bucket ${name} --public-access-block-configuration ${json(all)}`;
      return fail(`Off: ${open.join(', ')}`, aws(`aws s3api put-public-access-block ${options}`));
    },
  }),
  defineRule({
    id: 'bucket_encryption',
    title: 'The bucket of the backups encrypts under a KMS key',
    level: 'high',
    reads: 'bucket',
    expected: 'Default encryption is aws:kms',
    controls: controlsOf('storage'),
    judge: ({ name, kms }) => {
      if (kms) return pass('aws:kms');
      const rules = {
        Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' }, BucketKeyEnabled: true }],
      };
      return fail(
        'Not by KMS',
        aws(`aws s3api put-bucket-encryption --bucket ${name} --server-side-encryption-configuration ${json(rules)}`),
      );
    },
  }),
  defineRule({
    id: 'bucket_versions',
    title: 'The bucket of the backups keeps former versions',
    level: 'medium',
    reads: 'bucket',
    expected: 'Versioning is enabled',
    controls: controlsOf('recovery'),
    judge: ({ name, versioned }) =>
      versioned
        ? pass('Enabled')
        : fail(
            'Not enabled',
            aws(
              `aws s3api put-bucket-versioning --bucket ${name} --versioning-configuration ${json({ Status: 'Enabled' })}`,
            ),
          ),
  }),
  defineRule({
    id: 'bucket_tls',
    title: 'The bucket of the backups is reached over TLS alone',
    level: 'high',
    reads: 'bucket',
    expected: 'Its policy denies what comes with aws:SecureTransport false',
    controls: controlsOf('transit'),
    judge: (bucket) =>
      bucket.tlsOnly
        ? pass('It does')
        : fail(
            'It does not',
            aws(`aws s3api put-bucket-policy --bucket ${bucket.name} --policy ${json(withTlsOnly(bucket))}`),
          ),
  }),
  defineRule({
    id: 'key_rotation',
    title: 'The key of the backups rotates',
    level: 'medium',
    reads: 'key',
    expected: 'KMS rotates the key each year',
    controls: controlsOf('keys'),
    judge: ({ arn, rotates }) =>
      rotates ? pass('It does') : fail('It does not', aws(`aws kms enable-key-rotation --key-id ${quoteShell(arn)}`)),
  }),
  defineRule({
    id: 'secret_rotation',
    title: 'The password of this system’s login changes',
    level: 'medium',
    reads: 'secret',
    expected: `Secrets Manager rotates the secret, or it was changed in the last ${SECRET_DAYS} days`,
    controls: controlsOf('keys'),
    judge: (secret, { now, database }) => {
      if (secret === null) return notApplicable('The login has no password: it signs in with IAM');
      if (secret.rotates) return pass('It rotates');
      const days = secret.changedAt === null ? null : Math.floor((now - secret.changedAt) / DAY_MS);
      if (days !== null && days <= SECRET_DAYS) return pass(`Changed ${days} days ago`);
      return fail(days === null ? 'It was never changed' : `Changed ${days} days ago`, [
        {
          by: 'configuration',
          statement: JSON.stringify({ databases: [{ id: database.id, rotate_password_days: ROTATION_DAYS }] }),
        },
      ]);
    },
  }),
  defineRule({
    id: 'instance_encryption',
    title: 'The storage of the instance is encrypted',
    level: 'critical',
    reads: 'instance',
    expected:
      'StorageEncrypted. It cannot be turned on: a copy is restored from an encrypted copy of a snapshot, then renamed',
    controls: controlsOf('storage'),
    judge: (instance) => {
      if (instance === null) return notApplicable('The server is no instance of RDS');
      if (instance.encrypted) return pass('It is');
      const id = quoteShell(instance.id);
      const rename = (from: string, to: string) =>
        `aws rds modify-db-instance --db-instance-identifier ${from} --new-db-instance-identifier ${to} --apply-immediately`;
      return fail(
        'It is not',
        aws(
          `aws rds create-db-snapshot --db-instance-identifier ${id} --db-snapshot-identifier ${id}-plain`,
          `aws rds copy-db-snapshot --source-db-snapshot-identifier ${id}-plain --target-db-snapshot-identifier ${id}-encrypted --kms-key-id alias/aws/rds`,
          `aws rds restore-db-instance-from-db-snapshot --db-instance-identifier ${id}-encrypted --db-snapshot-identifier ${id}-encrypted`,
          rename(id, `${id}-plain`),
          rename(`${id}-encrypted`, id),
        ),
      );
    },
  }),
  instanceRule({
    id: 'instance_public',
    title: 'The instance has no public address',
    level: 'critical',
    expected: 'Not PubliclyAccessible',
    topic: 'exposure',
    isRight: (instance) => !instance.public,
    found: (instance) => (instance.public ? 'It has one' : 'It has none'),
    change: '--no-publicly-accessible',
  }),
  instanceRule({
    id: 'instance_backups',
    title: 'RDS keeps backups of the instance as well',
    level: 'medium',
    expected: `BackupRetentionPeriod is at least ${RETENTION_DAYS} days`,
    topic: 'recovery',
    isRight: ({ retentionDays }) => retentionDays >= RETENTION_DAYS,
    found: ({ retentionDays }) => `${retentionDays} days`,
    change: `--backup-retention-period ${RETENTION_DAYS}`,
  }),
  instanceRule({
    id: 'instance_deletion',
    title: 'The instance is not deleted by mistake',
    level: 'medium',
    expected: 'DeletionProtection is on',
    topic: 'recovery',
    isRight: ({ deletionProtection }) => deletionProtection,
    found: ({ deletionProtection }) => onOff(deletionProtection),
    change: '--deletion-protection',
  }),
  instanceRule({
    id: 'instance_upgrades',
    title: 'Minor versions come by themselves',
    level: 'medium',
    expected: 'AutoMinorVersionUpgrade is on',
    topic: 'software',
    isRight: ({ minorUpgrades }) => minorUpgrades,
    found: ({ minorUpgrades }) => onOff(minorUpgrades),
    change: '--auto-minor-version-upgrade',
  }),
  instanceRule({
    id: 'instance_log',
    title: 'The log of the instance is kept in CloudWatch',
    level: 'medium',
    expected: 'The log postgresql is exported',
    topic: 'logging',
    isRight: ({ exportsLog }) => exportsLog,
    found: ({ exportsLog }) => (exportsLog ? 'It is exported' : 'It is not exported'),
    change: `--cloudwatch-logs-export-configuration ${json({ EnableLogTypes: ['postgresql'] })}`,
  }),
];
