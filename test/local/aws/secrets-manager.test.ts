import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetRandomPasswordCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { beforeAll, expect, it } from 'vitest';
import { clientOptions, useServices } from './support.ts';

const services = useServices();
let client: SecretsManagerClient;

beforeAll(() => {
  client = new SecretsManagerClient(clientOptions(services.current.endpoints.secretsmanager));
});

const read = async (SecretId: string | undefined, VersionStage?: string) =>
  (await client.send(new GetSecretValueCommand({ SecretId, ...(VersionStage ? { VersionStage } : {}) }))).SecretString;

it('finds a secret by name, ARN and ARN without its suffix', async () => {
  const { ARN = '' } = await client.send(new CreateSecretCommand({ Name: 'databases/shop', SecretString: 'one' }));
  expect(ARN).toMatch(/^arn:aws:secretsmanager:us-east-1:000000000000:secret:databases\/shop-[A-Za-z0-9]{6}$/);
  expect(await read('databases/shop')).toBe('one');
  expect(await read(ARN)).toBe('one');
  expect(await read(ARN.slice(0, -7))).toBe('one');
  await expect(client.send(new CreateSecretCommand({ Name: 'databases/shop' }))).rejects.toMatchObject({
    name: 'ResourceExistsException',
  });
  await expect(read('databases/none')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});

it('rotates through the staging labels', async () => {
  const { ARN: SecretId, VersionId: first } = await client.send(
    new CreateSecretCommand({ Name: 'rotated', SecretString: 'one' }),
  );
  const pending = await client.send(
    new PutSecretValueCommand({ SecretId, SecretString: 'two', VersionStages: ['AWSPENDING'] }),
  );
  expect(await read(SecretId)).toBe('one');
  expect(await read(SecretId, 'AWSPENDING')).toBe('two');
  await client.send(
    new UpdateSecretVersionStageCommand({
      SecretId,
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: pending.VersionId,
      RemoveFromVersionId: first,
    }),
  );
  expect(await read(SecretId)).toBe('two');
  expect(await read(SecretId, 'AWSPREVIOUS')).toBe('one');
  await client.send(new UpdateSecretCommand({ SecretId, SecretString: 'three' }));
  expect(await read(SecretId)).toBe('three');
  expect(await read(SecretId, 'AWSPREVIOUS')).toBe('two');
  const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId }));
  expect(Object.values(VersionIdsToStages).flat().sort()).toEqual(['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS']);
});

it('holds binary values and makes passwords', async () => {
  await client.send(new CreateSecretCommand({ Name: 'binary', SecretBinary: Buffer.from([0, 255]) }));
  expect((await client.send(new GetSecretValueCommand({ SecretId: 'binary' }))).SecretBinary).toEqual(
    new Uint8Array([0, 255]),
  );
  const { RandomPassword } = await client.send(
    new GetRandomPasswordCommand({ PasswordLength: 40, ExcludePunctuation: true, ExcludeCharacters: 'abc' }),
  );
  expect(RandomPassword).toMatch(/^[d-zA-Z0-9]{40}$/);
});

it('keeps values over a restart, and deletes', async () => {
  const arn = await services.current.putSecret('kept', 'one');
  expect(await services.current.putSecret('kept', 'two')).toBe(arn);
  client = new SecretsManagerClient(clientOptions((await services.restart()).endpoints.secretsmanager));
  expect(await read(arn)).toBe('two');
  await client.send(new DeleteSecretCommand({ SecretId: 'kept', ForceDeleteWithoutRecovery: true }));
  await expect(read(arn)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  await client.send(new DeleteSecretCommand({ SecretId: 'binary' }));
  await expect(read('binary')).rejects.toMatchObject({ name: 'InvalidRequestException' });
  const { SecretList } = await client.send(new ListSecretsCommand({}));
  expect(SecretList?.map(({ Name }) => Name)).toEqual(['databases/shop', 'rotated']);
});
