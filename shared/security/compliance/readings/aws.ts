import { GetKeyRotationStatusCommand, type KMSClient } from '@aws-sdk/client-kms';
import {
  GetBucketEncryptionCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { DescribeSecretCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

export interface BucketReading {
  name: string;
  /** Names of the parts of S3's Block Public Access that are off. */
  open: string[];
  /** Whether what is stored is encrypted under a KMS key by default. */
  kms: boolean;
  versioned: boolean;
  /** Whether its policy refuses what comes without TLS. */
  tlsOnly: boolean;
  policy: PolicyDocument | null;
}

export interface PolicyDocument {
  Version?: string;
  Statement?: { Effect?: string; Condition?: Record<string, Record<string, unknown>> }[];
}

export interface KeyReading {
  arn: string;
  rotates: boolean;
}

/** null: the login has no secret. */
export type SecretReading = {
  arn: string;
  rotates: boolean;
  /** Milliseconds since the epoch; null: never. */
  changedAt: number | null;
} | null;

const protections = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'] as const;

/** What AWS answers of a bucket that has no such configuration. */
const absent =
  (...names: string[]) =>
  (error: unknown): null => {
    if (error instanceof Error && names.includes(error.name)) return null;
    throw error;
  };

/** How the bucket of the backups is kept. @throws the SDK's errors */
export async function readBucket(s3: S3Client, bucket: string, signal: AbortSignal): Promise<BucketReading> {
  const input = { Bucket: bucket };
  const options = { abortSignal: signal };
  const [access, encryption, versioning, policy] = await Promise.all([
    s3.send(new GetPublicAccessBlockCommand(input), options).catch(absent('NoSuchPublicAccessBlockConfiguration')),
    s3
      .send(new GetBucketEncryptionCommand(input), options)
      .catch(absent('ServerSideEncryptionConfigurationNotFoundError')),
    s3.send(new GetBucketVersioningCommand(input), options),
    s3.send(new GetBucketPolicyCommand(input), options).catch(absent('NoSuchBucketPolicy')),
  ]);
  const rules = encryption?.ServerSideEncryptionConfiguration?.Rules ?? [];
  const document = policy?.Policy === undefined ? null : (JSON.parse(policy.Policy) as PolicyDocument);
  return {
    name: bucket,
    open: protections.filter((name) => access?.PublicAccessBlockConfiguration?.[name] !== true),
    kms: rules.some(({ ApplyServerSideEncryptionByDefault: by }) => /^aws:kms/.test(by?.SSEAlgorithm ?? '')),
    versioned: versioning.Status === 'Enabled',
    tlsOnly: (document?.Statement ?? []).some(
      ({ Effect, Condition }) => Effect === 'Deny' && String(Condition?.Bool?.['aws:SecureTransport']) === 'false',
    ),
    policy: document,
  };
}

/** Whether the key of the backups rotates. @throws the SDK's errors */
export async function readKey(kms: KMSClient, arn: string, signal: AbortSignal): Promise<KeyReading> {
  const status = await kms.send(new GetKeyRotationStatusCommand({ KeyId: arn }), { abortSignal: signal });
  return { arn, rotates: status.KeyRotationEnabled === true };
}

/** Whether the secret of a login rotates. @throws the SDK's errors */
export async function readSecretRotation(
  secretsManager: SecretsManagerClient,
  arn: string | null,
  signal: AbortSignal,
): Promise<SecretReading> {
  if (arn === null) return null;
  const found = await secretsManager.send(new DescribeSecretCommand({ SecretId: arn }), { abortSignal: signal });
  const changed = found.LastRotatedDate ?? found.LastChangedDate ?? found.CreatedDate;
  return { arn, rotates: found.RotationEnabled === true, changedAt: changed?.getTime() ?? null };
}
