import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backupPrefix, MANIFEST } from '../../shared/backup/layout.ts';
import { type Bucket, listKeys, listPages, listStoredBackups } from '../../shared/backup/listing.ts';
import { changesLocation, descriptionPath } from '../../shared/changes/segments/layout.ts';
import { listSegments } from '../../shared/changes/segments/stored-segments.ts';
import { newBackupId } from '../../shared/state/ids.ts';
import { clientOptions, useServices } from '../local/aws/support.ts';

/** More pages than a listing once had at most. */
const COUNT = 210;
const of = { database: 'shop', slot: 'slot' };
const lsn = (n: number) => `0/${(0x1000 + n).toString(16).toUpperCase()}` as const;

const services = useServices();
const ids = Array.from({ length: COUNT }, newBackupId).sort();
const ranges = ids.map((_, n) => ({ firstLsn: lsn(n), lastLsn: lsn(n + 1) }));
let bucket: Bucket;
beforeAll(async () => {
  const s3 = new S3Client(clientOptions(services.current.endpoints.s3));
  bucket = { s3, bucket: 'backups' };
  await s3.send(new CreateBucketCommand({ Bucket: bucket.bucket }));
  const keys = [
    ...ids.map((id) => backupPrefix('shop', id) + MANIFEST),
    ...ranges.map((range) => changesLocation(of.database, of.slot).prefix + descriptionPath(range)),
  ];
  await Promise.all(keys.map((Key) => s3.send(new PutObjectCommand({ Bucket: bucket.bucket, Key, Body: 'x' }))));
  // A page of one name, so that few objects make many pages.
  s3.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        if (commandName === 'ListObjectsV2Command') Object.assign(args.input, { MaxKeys: 1 });
        return next(args);
      },
    { step: 'initialize' },
  );
});
afterAll(() => bucket?.s3.destroy());

test('a listing goes on to its end, over however many pages', async () => {
  expect(await listStoredBackups(bucket, 'shop')).toEqual(ids);
  expect(await listKeys(bucket, backupPrefix('shop', '').slice(0, -1))).toHaveLength(COUNT);
  expect(await listSegments(bucket, of)).toEqual(ranges);
  expect(await listSegments(bucket, of, lsn(COUNT - 2))).toEqual(ranges.slice(-2));
});

test('one without an end is an error, never a part that looks like the whole', async () => {
  const found: (string | undefined)[] = [];
  const listing = async (): Promise<void> => {
    for await (const { Contents = [] } of listPages(bucket, 'databases/', {}, 3)) found.push(Contents[0]?.Key);
  };
  await expect(listing()).rejects.toMatchObject({
    code: 'listing_too_long',
    message: expect.stringContaining('databases/'),
  });
  expect(found).toHaveLength(3);
});
