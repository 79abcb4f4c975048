import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { beforeAll, expect, it } from 'vitest';
import { clientOptions, useServices } from './support.ts';

const services = useServices();

const as = (accessKeyId: string) =>
  new S3Client({
    ...clientOptions(services.current.endpoints.s3),
    credentials: { accessKeyId, secretAccessKey: 'local' },
    forcePathStyle: true,
  });
const get = (accessKeyId: string, Bucket: string, Key: string) =>
  as(accessKeyId).send(new GetObjectCommand({ Bucket, Key }));

beforeAll(async () => {
  for (const Bucket of ['own', 'other']) await as('local').send(new CreateBucketCommand({ Bucket }));
  await as('local').send(new PutObjectCommand({ Bucket: 'other', Key: 'there', Body: 'x' }));
  const may = (action: string, ...resources: string[]) => {
    return { effect: 'Allow', actions: [action], resources, conditions: {} } as const;
  };
  await services.current.setPermissions({
    tables: {},
    bucketKeys: {},
    callers: {
      reader: {
        role: 'role',
        statements: [
          may('s3:GetObject', 'arn:aws:s3:::own/*', 'arn:aws:s3:::other/*'),
          may('s3:ListBucket', 'arn:aws:s3:::own'),
        ],
      },
    },
  });
});

it('tells a caller that an object is missing only in a bucket that the caller may list', async () => {
  await expect(get('reader', 'own', 'gone')).rejects.toMatchObject({ name: 'NoSuchKey' });
  const denied = { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } };
  await expect(get('reader', 'other', 'gone')).rejects.toMatchObject(denied);
  const head = as('reader').send(new HeadObjectCommand({ Bucket: 'other', Key: 'gone' }));
  await expect(head).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
  expect((await get('reader', 'other', 'there')).ContentLength).toBe(1);
  await expect(get('unknown', 'other', 'gone')).rejects.toMatchObject({ name: 'NoSuchKey' });
});

it('does so for a presigned URL, by the right of who signed it', async () => {
  const statusOf = async (caller: string, Bucket: string) => {
    const url = await getSignedUrl(as(caller), new GetObjectCommand({ Bucket, Key: 'gone' }));
    return (await fetch(url)).status;
  };
  expect(await statusOf('reader', 'own')).toBe(404);
  expect(await statusOf('reader', 'other')).toBe(403);
});
