import { quoteShell } from '../../../quote-shell.ts';
import { controlsOf } from '../controls.ts';
import type { BucketReading } from '../readings/aws.ts';
import { aws, defineRule, fail, notApplicable, pass } from '../rule.ts';

const json = (value: unknown): string => quoteShell(JSON.stringify(value));
const DAY_MS = 86_400_000;
const SECRET_DAYS = 90;
const ROTATION_DAYS = 30;

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

/** How AWS keeps the backups, the key and the secret. */
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
      if (secret === null) {
        const how = database.login.type === 'iam' ? 'it signs in with IAM' : 'the server asks for none';
        return notApplicable(`The login has no password: ${how}`);
      }
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
];
