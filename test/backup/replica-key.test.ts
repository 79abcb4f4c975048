import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  KMSClient,
  ReplicateKeyCommand,
} from '@aws-sdk/client-kms';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openStream, sealStream } from '../../shared/backup/objects/seal.ts';
import { clientOptions, useServices } from '../local/aws/support.ts';

const services = useServices();
const context = { database: 'shop', backup: 'b1', path: 'data/1' };
let first: KMSClient;
let second: KMSClient;
let primaryArn: string;
let replicaArn: string;

beforeAll(async () => {
  for (const [name, value] of Object.entries(services.current.environment())) vi.stubEnv(name, value);
  const options = clientOptions(services.current.endpoints.kms);
  first = new KMSClient({ ...options, region: 'eu-central-1' });
  second = new KMSClient({ ...options, region: 'eu-west-1' });
  const { KeyMetadata } = await first.send(new CreateKeyCommand({ MultiRegion: true }));
  primaryArn = KeyMetadata?.Arn ?? '';
  await first.send(new CreateAliasCommand({ AliasName: 'alias/dbms-backups', TargetKeyId: primaryArn }));
  const replica = await first.send(new ReplicateKeyCommand({ KeyId: primaryArn, ReplicaRegion: 'eu-west-1' }));
  replicaArn = replica.ReplicaKeyMetadata?.Arn ?? '';
});
afterAll(() => {
  vi.unstubAllEnvs();
});

async function seal(keyArn: string, text: string): Promise<Buffer> {
  const sealing = sealStream(keyArn, context);
  const [sealed] = await Promise.all([buffer(sealing), pipeline(Readable.from([Buffer.from(text)]), sealing)]);
  return sealed;
}
async function open(keyArn: string, sealed: Buffer): Promise<string> {
  const opening = openStream([keyArn], context);
  const [opened] = await Promise.all([buffer(opening), pipeline(Readable.from([sealed]), opening)]);
  return opened.toString();
}

it('opens in the second region what was sealed in the first, once that one refuses', async () => {
  const sealed = await seal(primaryArn, 'rows');
  expect(await open(primaryArn, sealed)).toBe('rows');
  await first.send(new DisableKeyCommand({ KeyId: primaryArn }));
  await expect(open(primaryArn, sealed)).rejects.toThrow('Unable to decrypt data key');
  expect(await open(replicaArn, sealed)).toBe('rows');
  // And what is sealed there from then on.
  expect(await open(replicaArn, await seal(replicaArn, 'new rows'))).toBe('new rows');
});

it('opens nothing under another multi-Region key, nor under another context', async () => {
  const { KeyMetadata } = await second.send(new CreateKeyCommand({ MultiRegion: true }));
  const sealed = await seal(replicaArn, 'rows');
  await expect(open(KeyMetadata?.Arn ?? '', sealed)).rejects.toThrow('Unable to decrypt data key: No EDKs supplied');
  await expect(
    open(replicaArn, await seal(replicaArn, 'rows').then((bytes) => bytes.subarray(0, -1))),
  ).rejects.toThrow();
});

it('replicates a multi-Region key by its id or ARN, from its own region, and never by an alias', async () => {
  const replicate = (KeyId: string, client = first) =>
    client.send(new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'us-west-2' }));
  await expect(replicate('alias/dbms-backups')).rejects.toMatchObject({
    name: expect.stringMatching(/InvalidArn|NotFound/),
  });
  await expect(replicate(replicaArn, second)).rejects.toMatchObject({ name: 'UnsupportedOperationException' });
  await expect(replicate(primaryArn, second)).rejects.toMatchObject({ name: 'NotFoundException' });
  const { KeyMetadata } = await second.send(new DescribeKeyCommand({ KeyId: replicaArn }));
  expect(KeyMetadata).toMatchObject({
    MultiRegion: true,
    MultiRegionConfiguration: {
      MultiRegionKeyType: 'REPLICA',
      PrimaryKey: { Arn: primaryArn, Region: 'eu-central-1' },
    },
  });
  expect(replicaArn).toBe(primaryArn.replace('eu-central-1', 'eu-west-1'));
});
