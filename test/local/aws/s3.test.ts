import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketEncryptionCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { beforeAll, describe, expect, it } from 'vitest';
import { clientOptions, useServices } from './support.ts';

const services = useServices();
const Bucket = 'backups';
let s3: S3Client;

beforeAll(async () => {
  s3 = new S3Client(clientOptions(services.current.endpoints.s3));
  await s3.send(new CreateBucketCommand({ Bucket }));
});

async function read(Key: string, Range?: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...(Range ? { Range } : {}) }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

/** The same pseudo-random megabytes each time, with the hash of them all. */
function* megabytes(count: number, hash = createHash('sha256')): Generator<Buffer> {
  const seed = Buffer.alloc(1024 * 1024, 'seed of the test');
  for (let index = 0; index < count; index += 1) {
    seed.writeUInt32BE(index, index % 1000);
    const chunk = Buffer.from(seed);
    hash.update(chunk);
    yield chunk;
  }
}

describe('objects', () => {
  it('gives back what was put, with its metadata and encryption', async () => {
    const body = randomBytes(100_000);
    const put = await s3.send(
      new PutObjectCommand({
        Bucket,
        Key: 'a/ünï code+%&.bin',
        Body: body,
        ContentType: 'application/zstd',
        Metadata: { rows: '12' },
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId: 'arn:aws:kms:us-east-1:000000000000:key/one',
      }),
    );
    expect(put.SSEKMSKeyId).toBe('arn:aws:kms:us-east-1:000000000000:key/one');
    expect((await read('a/ünï code+%&.bin')).equals(body)).toBe(true);
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'a/ünï code+%&.bin' }));
    expect(head).toMatchObject({
      ContentLength: 100_000,
      ContentType: 'application/zstd',
      Metadata: { rows: '12' },
      ETag: put.ETag,
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: 'arn:aws:kms:us-east-1:000000000000:key/one',
    });
  });

  it('takes a stream under the default checksums', async () => {
    const body = randomBytes(3_000_000);
    const chunks = [body.subarray(0, 1_000_001), body.subarray(1_000_001)];
    await s3.send(
      new PutObjectCommand({ Bucket, Key: 'stream', Body: Readable.from(chunks), ContentLength: body.length }),
    );
    expect((await read('stream')).equals(body)).toBe(true);
  });

  it('holds an empty object', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'empty', Body: '', ContentLength: 0 }));
    expect(await read('empty')).toHaveLength(0);
  });

  it('reads ranges', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'digits', Body: '0123456789' }));
    expect((await read('digits', 'bytes=2-4')).toString()).toBe('234');
    expect((await read('digits', 'bytes=7-')).toString()).toBe('789');
    expect((await read('digits', 'bytes=-2')).toString()).toBe('89');
    await expect(read('digits', 'bytes=10-12')).rejects.toMatchObject({ name: 'InvalidRange' });
  });

  it('writes an object only once under If-None-Match', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'once', Body: 'first', IfNoneMatch: '*' }));
    const again = s3.send(new PutObjectCommand({ Bucket, Key: 'once', Body: 'second', IfNoneMatch: '*' }));
    await expect(again).rejects.toMatchObject({ name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } });
    expect((await read('once')).toString()).toBe('first');
  });

  it('refuses bytes that do not match their checksum', async () => {
    const wrong = s3.send(new PutObjectCommand({ Bucket, Key: 'wrong', Body: 'text', ChecksumCRC32: 'AAAAAA==' }));
    await expect(wrong).rejects.toMatchObject({ name: 'BadDigest' });
    await expect(read('wrong')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('keeps nothing of an upload that breaks off', async () => {
    const controller = new AbortController();
    async function* halves() {
      yield Buffer.alloc(1_000_000);
      controller.abort();
      yield Buffer.alloc(1_000_000);
    }
    const put = s3.send(
      new PutObjectCommand({ Bucket, Key: 'broken', Body: Readable.from(halves()), ContentLength: 2_000_000 }),
      { abortSignal: controller.signal },
    );
    await expect(put).rejects.toMatchObject({ name: 'AbortError' });
    await expect(read('broken')).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  it('copies and deletes', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'original', Body: 'text', Metadata: { a: 'b' } }));
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/original` }));
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'original' }));
    await s3.send(new DeleteObjectCommand({ Bucket, Key: 'original' }));
    expect((await read('copy')).toString()).toBe('text');
    const deleted = await s3.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'copy' }, { Key: 'never <there> & here' }] } }),
    );
    expect(deleted.Deleted?.map(({ Key }) => Key)).toEqual(['copy', 'never <there> & here']);
    await expect(s3.send(new HeadObjectCommand({ Bucket, Key: 'copy' }))).rejects.toMatchObject({ name: 'NotFound' });
  });

  it('refuses a caller without credentials', async () => {
    const answer = await fetch(`${services.current.endpoints.s3}/${Bucket}/digits`);
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain('<Code>AccessDenied</Code>');
  });
});

describe('listing', () => {
  const keys = ['l/a/1', 'l/a/2', 'l/b/1', 'l/c', 'l/d & <e>'];
  beforeAll(async () => {
    for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
  });

  it('pages in order', async () => {
    const seen: (string | undefined)[] = [];
    let token: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({ Bucket, Prefix: 'l/', MaxKeys: 2, ...(token ? { ContinuationToken: token } : {}) }),
      );
      seen.push(...(page.Contents ?? []).map(({ Key }) => Key));
      token = page.NextContinuationToken;
    } while (token);
    expect(seen).toEqual(keys);
  });

  it('rolls keys up to the delimiter, also over pages', async () => {
    const seen: (string | undefined)[] = [];
    let token: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({
          Bucket,
          Prefix: 'l/',
          Delimiter: '/',
          MaxKeys: 1,
          ...(token ? { ContinuationToken: token } : {}),
        }),
      );
      seen.push(
        ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
        ...(page.Contents ?? []).map(({ Key }) => Key),
      );
      token = page.NextContinuationToken;
    } while (token);
    expect(seen).toEqual(['l/a/', 'l/b/', 'l/c', 'l/d & <e>']);
  });
});

describe('multipart uploads', () => {
  const uploads = async () => (await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? [];

  it('lists an upload until it is aborted', async () => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }));
    await s3.send(new UploadPartCommand({ Bucket, Key: 'parts', UploadId, PartNumber: 1, Body: 'part' }));
    expect(await uploads()).toMatchObject([{ Key: 'parts', UploadId }]);
    expect((await s3.send(new ListPartsCommand({ Bucket, Key: 'parts', UploadId }))).Parts).toMatchObject([
      { PartNumber: 1, Size: 4 },
    ]);
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'parts', UploadId }));
    expect(await uploads()).toEqual([]);
    const late = s3.send(new UploadPartCommand({ Bucket, Key: 'parts', UploadId, PartNumber: 2, Body: 'part' }));
    await expect(late).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  it('completes only with known parts of sufficient size', async () => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'small' }));
    const one = await s3.send(new UploadPartCommand({ Bucket, Key: 'small', UploadId, PartNumber: 1, Body: 'one' }));
    const two = await s3.send(new UploadPartCommand({ Bucket, Key: 'small', UploadId, PartNumber: 2, Body: 'two' }));
    const complete = (Parts: { PartNumber: number; ETag: string | undefined }[]) =>
      s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'small', UploadId, MultipartUpload: { Parts } }));
    await expect(complete([{ PartNumber: 1, ETag: two.ETag }])).rejects.toMatchObject({ name: 'InvalidPart' });
    await expect(
      complete([
        { PartNumber: 2, ETag: two.ETag },
        { PartNumber: 1, ETag: one.ETag },
      ]),
    ).rejects.toMatchObject({ name: 'InvalidPartOrder' });
    await expect(
      complete([
        { PartNumber: 1, ETag: one.ETag },
        { PartNumber: 2, ETag: two.ETag },
      ]),
    ).rejects.toMatchObject({ name: 'EntityTooSmall' });
    await complete([{ PartNumber: 2, ETag: two.ETag }]);
    expect((await read('small')).toString()).toBe('two');
    expect(await uploads()).toEqual([]);
  });

  it('carries 300 MB in constant memory', async () => {
    const sent = createHash('sha256');
    const before = process.memoryUsage().rss;
    let peak = before;
    const upload = new Upload({
      client: s3,
      params: {
        Bucket,
        Key: 'large',
        Body: Readable.from(megabytes(300, sent)),
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId: 'key',
      },
      partSize: 16 * 1024 * 1024,
      queueSize: 2,
    });
    upload.on('httpUploadProgress', () => {
      peak = Math.max(peak, process.memoryUsage().rss);
    });
    await upload.done();
    const { Body, ContentLength } = await s3.send(new GetObjectCommand({ Bucket, Key: 'large' }));
    const received = createHash('sha256');
    for await (const chunk of Body as Readable) {
      received.update(chunk as Buffer);
      peak = Math.max(peak, process.memoryUsage().rss);
    }
    expect(ContentLength).toBe(300 * 1024 * 1024);
    expect(received.digest('hex')).toBe(sent.digest('hex'));
    expect((peak - before) / 1024 / 1024).toBeLessThan(250);
    expect(await uploads()).toEqual([]);
    // A range over the seam of two parts.
    const seam = await read('large', `bytes=${16 * 1024 * 1024 - 5}-${16 * 1024 * 1024 + 4}`);
    const [, ...chunks] = megabytes(17);
    expect(seam).toEqual(Buffer.concat(chunks.slice(-2)).subarray(1024 * 1024 - 5, 1024 * 1024 + 5));
  });
});

describe('buckets', () => {
  it('keeps configurations and applies the default encryption', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'configured' }));
    const rules = [
      { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' as const, KMSMasterKeyID: 'key-1' } },
    ];
    await expect(s3.send(new GetBucketEncryptionCommand({ Bucket: 'configured' }))).rejects.toMatchObject({
      name: 'ServerSideEncryptionConfigurationNotFoundError',
    });
    await s3.send(
      new PutBucketEncryptionCommand({ Bucket: 'configured', ServerSideEncryptionConfiguration: { Rules: rules } }),
    );
    const { ServerSideEncryptionConfiguration } = await s3.send(
      new GetBucketEncryptionCommand({ Bucket: 'configured' }),
    );
    expect(ServerSideEncryptionConfiguration?.Rules).toMatchObject(rules);
    const put = await s3.send(new PutObjectCommand({ Bucket: 'configured', Key: 'k', Body: 'v' }));
    expect(put).toMatchObject({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'key-1' });
    await expect(s3.send(new DeleteBucketCommand({ Bucket: 'configured' }))).rejects.toMatchObject({
      name: 'BucketNotEmpty',
    });
    await s3.send(new DeleteObjectCommand({ Bucket: 'configured', Key: 'k' }));
    await s3.send(new DeleteBucketCommand({ Bucket: 'configured' }));
    await expect(s3.send(new HeadBucketCommand({ Bucket: 'configured' }))).rejects.toMatchObject({ name: 'NotFound' });
  });

  it('fails calls as told', async () => {
    await services.current.faults.set({
      service: 's3',
      operation: 'PutObject',
      status: 503,
      code: 'SlowDown',
      after: 1,
      times: 1,
    });
    const put = () => s3.send(new PutObjectCommand({ Bucket, Key: 'fault', Body: 'x' }));
    await put();
    await expect(put()).rejects.toMatchObject({ name: 'SlowDown', $metadata: { httpStatusCode: 503 } });
    await put();
    await services.current.faults.set({
      service: 's3',
      status: 403,
      code: 'AccessDenied',
      times: Number.POSITIVE_INFINITY,
    });
    await expect(read('fault')).rejects.toMatchObject({ name: 'AccessDenied' });
    await services.current.faults.clear();
    expect((await read('fault')).toString()).toBe('x');
  });

  it('is there again after a restart', async () => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'unfinished' }));
    await s3.send(new UploadPartCommand({ Bucket, Key: 'unfinished', UploadId, PartNumber: 1, Body: 'part' }));
    s3 = new S3Client(clientOptions((await services.restart()).endpoints.s3));
    expect((await s3.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name)).toEqual([Bucket]);
    expect((await read('digits')).toString()).toBe('0123456789');
    expect((await s3.send(new ListPartsCommand({ Bucket, Key: 'unfinished', UploadId }))).Parts).toHaveLength(1);
  });
});
