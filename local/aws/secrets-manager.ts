import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import type { AccessRequest } from '../iam/evaluate.ts';
import type { StateDisk } from '../state-disk.ts';
import { localArn } from './account.ts';
import { AwsError } from './errors.ts';
import { type JsonService, operation } from './json-service.ts';
import { openStateFile } from './state-file.ts';

type Version = {
  id: string;
  stages: string[];
  createdAt: number;
  text?: string | undefined;
  binary?: string | undefined;
};
type Secret = {
  name: string;
  arn: string;
  description: string;
  createdAt: number;
  changedAt: number;
  deletedAt: number | null;
  /** The function that rotates it. */
  rotation?: { lambdaArn: string; days: number; rotatedAt: number };
  versions: Version[];
};
type State = { secrets: Record<string, Secret> };

export type LocalSecretsManager = {
  service: JsonService;
  /** Makes a secret, or gives an existing one of that name a new value; gives its ARN. */
  putSecret(name: string, value: string): Promise<string>;
  close(): Promise<void>;
};

const reference = z.object({ SecretId: z.string().min(1) });
const content = z.object({
  SecretString: z.string().optional(),
  SecretBinary: z.string().optional(),
  ClientRequestToken: z.string().optional(),
});

/** AWS Secrets Manager: versions with their staging labels, kept in a file that only its owner can read. */
export async function openSecretsManager(stateFolder: string, disk: StateDisk): Promise<LocalSecretsManager> {
  const file = await openStateFile<State>(join(stateFolder, 'secrets.json'), { secrets: {} }, disk);
  const { secrets } = file.value;

  function find(id: string, deletedToo = false): Secret {
    const secret = secrets[id] ?? Object.values(secrets).find(({ arn }) => arn === id || arn.slice(0, -7) === id);
    if (!secret) throw new AwsError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
    if (secret.deletedAt !== null && !deletedToo) {
      throw new AwsError('InvalidRequestException', 'The secret was marked as deleted.');
    }
    return secret;
  }

  /** Adds a version; a stage belongs to one version at a time, and what was current becomes previous. */
  function addVersion(
    secret: Secret,
    { SecretString, SecretBinary, ClientRequestToken }: z.output<typeof content>,
    stages: string[],
  ): Version {
    const id = ClientRequestToken ?? randomUUID();
    const existing = secret.versions.find((version) => version.id === id);
    if (existing?.stages.includes('AWSPENDING') && existing.text === undefined && existing.binary === undefined) {
      // Made by the rotation itself, for its function to fill.
      existing.text = SecretString;
      existing.binary = SecretBinary;
      return existing;
    }
    if (existing) {
      if (existing.text === SecretString && existing.binary === SecretBinary) return existing;
      throw new AwsError('ResourceExistsException', `A version with the token ${id} exists with another value.`);
    }
    const current = secret.versions.find((version) => version.stages.includes('AWSCURRENT'));
    for (const version of secret.versions) {
      version.stages = version.stages.filter(
        (stage) => !stages.includes(stage) && !(stages.includes('AWSCURRENT') && stage === 'AWSPREVIOUS'),
      );
    }
    if (current && stages.includes('AWSCURRENT')) current.stages.push('AWSPREVIOUS');
    const added: Version = { id, stages, createdAt: Date.now(), text: SecretString, binary: SecretBinary };
    secret.versions = [...secret.versions.filter((version) => version.stages.length > 0), added];
    secret.changedAt = Date.now();
    return added;
  }

  async function create(
    name: string,
    description: string,
    value: z.output<typeof content>,
  ): Promise<{ secret: Secret; version: Version | undefined }> {
    if (secrets[name])
      throw new AwsError('ResourceExistsException', `The operation failed because the secret ${name} already exists.`);
    const suffix = randomBytes(8)
      .toString('base64')
      .replace(/[^A-Za-z0-9]/g, 'x')
      .slice(0, 6);
    const now = Date.now();
    const secret: Secret = {
      name,
      arn: localArn('secretsmanager', `secret:${name}-${suffix}`),
      description,
      createdAt: now,
      changedAt: now,
      deletedAt: null,
      versions: [],
    };
    secrets[name] = secret;
    const hasValue = value.SecretString !== undefined || value.SecretBinary !== undefined;
    const version = hasValue ? addVersion(secret, value, ['AWSCURRENT']) : undefined;
    await file.save();
    return { secret, version };
  }

  const describe = (secret: Secret) => ({
    ARN: secret.arn,
    Name: secret.name,
    Description: secret.description,
    CreatedDate: secret.createdAt / 1000,
    LastChangedDate: secret.changedAt / 1000,
    ...(secret.deletedAt === null ? {} : { DeletedDate: secret.deletedAt / 1000 }),
    RotationEnabled: secret.rotation !== undefined,
    ...(secret.rotation
      ? {
          RotationLambdaARN: secret.rotation.lambdaArn,
          RotationRules: { AutomaticallyAfterDays: secret.rotation.days },
          LastRotatedDate: secret.rotation.rotatedAt / 1000,
        }
      : {}),
    VersionIdsToStages: Object.fromEntries(secret.versions.map(({ id, stages }) => [id, stages])),
  });

  const operations: JsonService['operations'] = {
    CreateSecret: operation(
      content.extend({ Name: z.string().min(1).max(512), Description: z.string().default('') }),
      async ({ Name, Description, ...value }) => {
        const { secret, version } = await create(Name, Description, value);
        return { ARN: secret.arn, Name, VersionId: version?.id };
      },
    ),
    GetSecretValue: operation(
      reference.extend({ VersionId: z.string().optional(), VersionStage: z.string().optional() }),
      (input) => {
        const secret = find(input.SecretId);
        const stage = input.VersionStage ?? (input.VersionId ? undefined : 'AWSCURRENT');
        const version = secret.versions.find(
          ({ id, stages }) =>
            (input.VersionId === undefined || id === input.VersionId) &&
            (stage === undefined || stages.includes(stage)),
        );
        if (!version || (version.text === undefined && version.binary === undefined)) {
          throw new AwsError(
            'ResourceNotFoundException',
            `Secrets Manager can't find the specified secret value for ${stage ?? input.VersionId}`,
          );
        }
        return {
          ARN: secret.arn,
          Name: secret.name,
          VersionId: version.id,
          VersionStages: version.stages,
          CreatedDate: version.createdAt / 1000,
          SecretString: version.text,
          SecretBinary: version.binary,
        };
      },
    ),
    PutSecretValue: operation(
      content.extend(reference.shape).extend({ VersionStages: z.array(z.string()).min(1).default(['AWSCURRENT']) }),
      async (input) => {
        const secret = find(input.SecretId);
        const version = addVersion(secret, input, input.VersionStages);
        await file.save();
        return { ARN: secret.arn, Name: secret.name, VersionId: version.id, VersionStages: version.stages };
      },
    ),
    UpdateSecret: operation(
      content.extend(reference.shape).extend({ Description: z.string().optional() }),
      async (input) => {
        const secret = find(input.SecretId);
        secret.description = input.Description ?? secret.description;
        const hasValue = input.SecretString !== undefined || input.SecretBinary !== undefined;
        const version = hasValue ? addVersion(secret, input, ['AWSCURRENT']) : undefined;
        await file.save();
        return { ARN: secret.arn, Name: secret.name, VersionId: version?.id };
      },
    ),
    UpdateSecretVersionStage: operation(
      reference.extend({
        VersionStage: z.string(),
        MoveToVersionId: z.string().optional(),
        RemoveFromVersionId: z.string().optional(),
      }),
      async ({ SecretId, VersionStage, MoveToVersionId }) => {
        const secret = find(SecretId);
        const current = secret.versions.find(({ stages }) => stages.includes(VersionStage));
        const target = secret.versions.find(({ id }) => id === MoveToVersionId);
        if (MoveToVersionId !== undefined && !target)
          throw new AwsError('ResourceNotFoundException', `There is no version ${MoveToVersionId}`);
        for (const version of secret.versions) {
          version.stages = version.stages.filter(
            (stage) => stage !== VersionStage && !(VersionStage === 'AWSCURRENT' && stage === 'AWSPREVIOUS'),
          );
        }
        if (VersionStage === 'AWSCURRENT') current?.stages.push('AWSPREVIOUS');
        target?.stages.push(VersionStage);
        await file.save();
        return { ARN: secret.arn, Name: secret.name };
      },
    ),
    DescribeSecret: operation(reference, ({ SecretId }) => describe(find(SecretId, true))),
    RotateSecret: operation(
      reference.extend({
        ClientRequestToken: z.string().default(() => randomUUID()),
        RotationLambdaARN: z.string().optional(),
        RotationRules: z.object({ AutomaticallyAfterDays: z.int().min(1).max(1000).default(30) }).prefault({}),
      }),
      async (input) => {
        const secret = find(input.SecretId);
        const lambdaArn = input.RotationLambdaARN ?? secret.rotation?.lambdaArn;
        if (lambdaArn === undefined)
          throw new AwsError(
            'InvalidRequestException',
            'No Lambda rotation function ARN is associated with this secret.',
          );
        secret.rotation = { lambdaArn, days: input.RotationRules.AutomaticallyAfterDays, rotatedAt: Date.now() };
        for (const version of secret.versions) {
          version.stages = version.stages.filter((stage) => stage !== 'AWSPENDING');
        }
        // The function is called by whoever plays Secrets Manager: this endpoint reaches none.
        secret.versions.push({ id: input.ClientRequestToken, stages: ['AWSPENDING'], createdAt: Date.now() });
        await file.save();
        return { ARN: secret.arn, Name: secret.name, VersionId: input.ClientRequestToken };
      },
    ),
    ListSecrets: () => ({
      SecretList: Object.values(secrets)
        .filter(({ deletedAt }) => deletedAt === null)
        .map(describe),
    }),
    DeleteSecret: operation(
      reference.extend({
        ForceDeleteWithoutRecovery: z.boolean().default(false),
        RecoveryWindowInDays: z.int().min(7).max(30).default(30),
      }),
      async (input) => {
        const secret = find(input.SecretId);
        secret.deletedAt =
          Date.now() + (input.ForceDeleteWithoutRecovery ? 0 : input.RecoveryWindowInDays * 86_400_000);
        if (input.ForceDeleteWithoutRecovery) delete secrets[secret.name];
        await file.save();
        return { ARN: secret.arn, Name: secret.name, DeletionDate: secret.deletedAt / 1000 };
      },
    ),
    RestoreSecret: operation(reference, async ({ SecretId }) => {
      const secret = find(SecretId, true);
      secret.deletedAt = null;
      await file.save();
      return { ARN: secret.arn, Name: secret.name };
    }),
    GetRandomPassword: operation(
      z.object({
        PasswordLength: z.int().min(1).max(4096).default(32),
        ExcludeCharacters: z.string().default(''),
        ExcludePunctuation: z.boolean().default(false),
      }),
      ({ PasswordLength, ExcludeCharacters, ExcludePunctuation }) => ({
        RandomPassword: randomPassword(PasswordLength, ExcludeCharacters, ExcludePunctuation),
      }),
    ),
  };

  const requests = (called: string, input: unknown): AccessRequest[] => {
    const { SecretId } = reference.partial().safeParse(input).data ?? {};
    const known = Object.values(secrets).find(({ name, arn }) => name === SecretId || arn === SecretId);
    return [{ action: `secretsmanager:${called}`, resource: known?.arn ?? SecretId ?? '*' }];
  };

  return {
    service: { name: 'secretsmanager', version: '1.1', operations, requests },
    putSecret: async (name, value) => {
      const existing = secrets[name];
      if (!existing) return (await create(name, '', { SecretString: value })).secret.arn;
      existing.deletedAt = null;
      addVersion(existing, { SecretString: value }, ['AWSCURRENT']);
      await file.save();
      return existing.arn;
    },
    close: file.close,
  };
}

function randomPassword(length: number, excluded: string, withoutPunctuation: boolean): string {
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
  const punctuation = withoutPunctuation ? '' : '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
  const allowed = [...letters, ...punctuation].filter((character) => !excluded.includes(character));
  if (allowed.length === 0) throw new AwsError('InvalidParameterException', 'No characters are left for the password');
  return Array.from({ length }, () => allowed[randomInt(allowed.length)]).join('');
}
