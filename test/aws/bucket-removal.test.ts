import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { answerRemoval, type ResourceEvent } from '../../shared/aws/bucket-removal.ts';
import { clientOptions, useServices } from '../local/aws/support.ts';

const services = useServices();
let s3: S3Client;
beforeAll(() => {
  for (const [name, value] of Object.entries(services.current.environment())) vi.stubEnv(name, value);
  s3 = new S3Client({ ...clientOptions(services.current.endpoints.s3), forcePathStyle: true });
});
afterAll(() => {
  vi.unstubAllEnvs();
});

const forever = new AbortController().signal;
const removal = (BucketName: string, RequestType: ResourceEvent['RequestType'] = 'Delete'): ResourceEvent => ({
  RequestType,
  ResponseURL: 'http://127.0.0.1:9/',
  StackId: 'stack',
  RequestId: 'request',
  LogicalResourceId: 'Backups',
  ResourceProperties: { BucketName },
});

async function makeBucket(Bucket: string, { isTagged = true, lockDays = 0 } = {}): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  const TagSet = isTagged ? [{ Key: 'emptied-on-removal', Value: 'true' }] : [{ Key: 'application', Value: 'dbms' }];
  await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
  if (lockDays === 0) return;
  const Rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: lockDays } } as const;
  await s3.send(
    new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule } }),
  );
}
const put = (Bucket: string, Key: string, Body = 'x') => s3.send(new PutObjectCommand({ Bucket, Key, Body }));
const drop = (Bucket: string, Key: string) => s3.send(new DeleteObjectCommand({ Bucket, Key }));

it('empties a used bucket: versions, delete markers and unfinished uploads, over several pages; then it can be deleted', async () => {
  const Bucket = 'used';
  await makeBucket(Bucket);
  for (let index = 0; index < 520; index += 1) {
    await put(Bucket, `databases/shop/${index}`);
    await put(Bucket, `databases/shop/${index}`, 'again');
  }
  for (let index = 0; index < 20; index += 1) await drop(Bucket, `databases/shop/${index}`);
  await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'databases/shop/unfinished' }));
  await expect(s3.send(new DeleteBucketCommand({ Bucket }))).rejects.toMatchObject({ name: 'BucketNotEmpty' });

  expect(await answerRemoval(s3, removal(Bucket), forever)).toMatchObject({
    Status: 'SUCCESS',
    emptied: { done: true, deleted: 1060, aborted: 1, kept: 0 },
  });
  const left = await s3.send(new ListObjectVersionsCommand({ Bucket }));
  expect([left.Versions, left.DeleteMarkers]).toEqual([undefined, undefined]);
  expect((await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads).toBeUndefined();
  await s3.send(new DeleteBucketCommand({ Bucket }));
  expect(await answerRemoval(s3, removal(Bucket), forever)).toMatchObject({ Status: 'SUCCESS' });
}, 120_000);

it('fails in words while object lock keeps something, and says until when', async () => {
  const Bucket = 'locked';
  await makeBucket(Bucket);
  await put(Bucket, 'free');
  const Rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 3 } } as const;
  await s3.send(
    new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule } }),
  );
  await put(Bucket, 'audit/1');
  await drop(Bucket, 'audit/1');
  const { Status, Reason, emptied } = await answerRemoval(s3, removal(Bucket), forever);
  expect([Status, emptied?.deleted, emptied?.kept]).toEqual(['FAILED', 2, 1]);
  const until = emptied?.lockedUntil?.toISOString() ?? '';
  expect((Date.parse(until) - Date.now()) / 86_400_000).toBeCloseTo(3, 2);
  expect(Reason).toBe(
    `The bucket locked is not empty: 2 versions are deleted, and object lock keeps 1, the last until ${until}. Delete the stack again after that, or now with --deletion-mode FORCE_DELETE_STACK, which leaves the bucket.`,
  );
});

it('comes to an end although thousands are locked', async () => {
  const Bucket = 'many-locked';
  await makeBucket(Bucket, { lockDays: 1 });
  for (let index = 0; index < 1010; index += 1) await put(Bucket, `audit/${index}`);
  expect((await answerRemoval(s3, removal(Bucket), forever)).emptied).toMatchObject({
    done: true,
    deleted: 0,
    kept: 1010,
  });
}, 120_000);

it('leaves a bucket alone that is not to be emptied, and does nothing before a removal', async () => {
  await makeBucket('kept', { isTagged: false });
  await put('kept', 'backup');
  for (const event of [removal('kept'), removal('kept', 'Update'), removal('kept', 'Create')]) {
    expect(await answerRemoval(s3, event, forever)).toMatchObject({ Status: 'SUCCESS' });
  }
  expect((await s3.send(new GetObjectCommand({ Bucket: 'kept', Key: 'backup' }))).ContentLength).toBe(1);
});

it('says that there is more to do when its time is over', async () => {
  await makeBucket('large');
  await put('large', 'k');
  expect(await answerRemoval(s3, removal('large'), AbortSignal.abort())).toMatchObject({
    Status: 'FAILED',
    Reason:
      'The bucket large holds more than one run can delete; 0 versions are deleted. Delete the stack again to go on.',
  });
});

it('answers CloudFormation at the address that it gave', async () => {
  const answers: { method: string | undefined; body: Record<string, string> }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    answers.push({ method: request.method, body: JSON.parse(Buffer.concat(chunks).toString()) });
    response.end();
  }).listen(0, '127.0.0.1');
  try {
    await makeBucket('answered');
    await put('answered', 'k');
    const { handler } = await import('../../functions/empty-bucket.ts');
    const ResponseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/signed?x=1`;
    const context = { getRemainingTimeInMillis: () => 900_000, logStreamName: 'stream' };
    await handler(
      { ...removal('answered'), ResponseURL, PhysicalResourceId: 'answered', ServiceToken: 'arn' },
      context,
    );
    expect(answers).toEqual([
      {
        method: 'PUT',
        body: {
          Status: 'SUCCESS',
          Reason: 'The bucket answered is empty; 1 versions are deleted (log stream stream)',
          StackId: 'stack',
          RequestId: 'request',
          LogicalResourceId: 'Backups',
          PhysicalResourceId: 'answered',
        },
      },
    ]);
  } finally {
    server.close();
  }
});
