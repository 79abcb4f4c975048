import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { beforeAll, expect, it } from 'vitest';
import { clientOptions, useServices } from './support.ts';

const services = useServices();
let s3: S3Client;

beforeAll(async () => {
  s3 = new S3Client(clientOptions(services.current.endpoints.s3));
  for (const Bucket of ['locked', 'open']) await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new PutObjectCommand({ Bucket: 'locked', Key: 'before', Body: 'x' }));
  await s3.send(
    new PutObjectLockConfigurationCommand({
      Bucket: 'locked',
      ObjectLockConfiguration: {
        ObjectLockEnabled: 'Enabled',
        Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 3 } },
      },
    }),
  );
});

const retention = (Bucket: string, Key: string) => s3.send(new GetObjectRetentionCommand({ Bucket, Key }));

it("gives new objects the bucket's lock, whole ones and those uploaded in parts", async () => {
  await s3.send(new PutObjectCommand({ Bucket: 'locked', Key: 'whole', Body: 'x' }));
  const Body = Buffer.alloc(6 * 1_048_576);
  await new Upload({ client: s3, params: { Bucket: 'locked', Key: 'parts', Body } }).done();
  for (const Key of ['whole', 'parts']) {
    const { Retention } = await retention('locked', Key);
    expect(Retention?.Mode).toBe('COMPLIANCE');
    const { LastModified, ObjectLockMode, ObjectLockRetainUntilDate } = await s3.send(
      new HeadObjectCommand({ Bucket: 'locked', Key }),
    );
    expect([ObjectLockMode, ObjectLockRetainUntilDate]).toEqual(['COMPLIANCE', Retention?.RetainUntilDate]);
    const days = ((Retention?.RetainUntilDate?.getTime() ?? 0) - (LastModified?.getTime() ?? 0)) / 86_400_000;
    expect(days).toBeCloseTo(3, 2);
  }
});

it('says as S3 does what is not locked', async () => {
  await expect(retention('locked', 'before')).rejects.toMatchObject({ name: 'NoSuchObjectLockConfiguration' });
  await expect(retention('locked', 'nothing')).rejects.toMatchObject({ name: 'NoSuchKey' });
  await s3.send(new PutObjectCommand({ Bucket: 'open', Key: 'k', Body: 'x' }));
  await expect(retention('open', 'k')).rejects.toMatchObject({
    name: 'InvalidRequest',
    message: expect.stringContaining('Object Lock'),
  });
});

it('deletes no locked version, and in mode GOVERNANCE only for who asks to get round the lock', async () => {
  const kept = { Bucket: 'locked', Key: 'kept' };
  await s3.send(new PutObjectCommand({ ...kept, Body: 'x' }));
  const denied = { name: 'AccessDenied', message: expect.stringContaining('object lock') };
  const version = { ...kept, VersionId: 'null' };
  await expect(s3.send(new DeleteObjectCommand(version))).rejects.toMatchObject(denied);
  await expect(s3.send(new DeleteObjectCommand({ ...version, BypassGovernanceRetention: true }))).rejects.toMatchObject(
    denied,
  );
  const Objects = [{ Key: 'kept', VersionId: 'null' }, { Key: 'before' }];
  const { Errors, Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket: 'locked', Delete: { Objects } }));
  expect([Errors?.map(({ Key, Code }) => [Key, Code]), Deleted?.map(({ Key }) => Key)]).toEqual([
    [['kept', 'AccessDenied']],
    ['before'],
  ]);
  const governed = { Bucket: 'locked', Key: 'governed' };
  const ObjectLockRetainUntilDate = new Date(Date.now() + 86_400_000);
  await s3.send(
    new PutObjectCommand({ ...governed, Body: 'x', ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate }),
  );
  const governedVersion = { ...governed, VersionId: 'null' };
  await expect(s3.send(new DeleteObjectCommand(governedVersion))).rejects.toMatchObject(denied);
  await s3.send(new DeleteObjectCommand({ ...governedVersion, BypassGovernanceRetention: true }));
  await expect(s3.send(new HeadObjectCommand(governed))).rejects.toMatchObject({ name: 'NotFound' });
});

it("deletes nothing that the bucket's policy keeps", async () => {
  await s3.send(new CreateBucketCommand({ Bucket: 'forbidden' }));
  await s3.send(new PutObjectCommand({ Bucket: 'forbidden', Key: 'k', Body: 'x' }));
  const Statement = [{ Effect: 'Deny', Principal: '*', Action: 's3:DeleteObject', Resource: '*' }];
  await s3.send(new PutBucketPolicyCommand({ Bucket: 'forbidden', Policy: JSON.stringify({ Statement }) }));
  await expect(s3.send(new DeleteObjectCommand({ Bucket: 'forbidden', Key: 'k' }))).rejects.toMatchObject({
    name: 'AccessDenied',
  });
});
