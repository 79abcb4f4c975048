import { randomBytes } from 'node:crypto';
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { beforeAll, expect, test } from 'vitest';
import { backupLocation } from '../../shared/backup/location.ts';
import { type ObjectStore, writeObject } from '../../shared/backup/objects/object-store.ts';
import { useServices } from '../local/aws/support.ts';
import { openStore } from './support/open-store.ts';

const MEBIBYTE = 1_048_576;
const Bucket = 'backups';
const services = useServices();
let store: ObjectStore;

beforeAll(async () => {
  store = await openStore(services.current, Bucket);
});

// Which of the streams hears of the failure first differs from one time to the next.
test.each([0, 1, 2, 0, 1, 2, 0, 1, 2])(
  'an upload that S3 refuses after %i parts names S3, and leaves nothing',
  async (after) => {
    const fault = { service: 's3', operation: 'UploadPart', status: 403, code: 'AccessDenied' } as const;
    await services.current.faults.set({ ...fault, after, times: Number.POSITIVE_INFINITY });
    const { signal } = new AbortController();
    const writer = writeObject(store, backupLocation('shop', 'one'), 'x', { compressionLevel: 1, signal });
    const writing = (async () => {
      for (let block = 0; block < 60; block++) await writer.write(randomBytes(MEBIBYTE));
      await writer.finish();
    })();
    await expect(writing).rejects.toMatchObject({
      code: 'store_failed',
      message: expect.stringContaining('AccessDenied'),
    });
    await writer.abort();
    await services.current.faults.clear();
    expect((await store.s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? []).toEqual([]);
    expect((await store.s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).toEqual([]);
  },
);

test.each(['given up by its writer', 'ended by its signal'])(
  'an upload that is %s in the middle leaves nothing',
  async (how) => {
    const stop = new AbortController();
    const writing = { compressionLevel: 1, signal: stop.signal };
    const writer = writeObject(store, backupLocation('shop', 'one'), 'x', writing);
    for (let block = 0; block < 20; block++) await writer.write(randomBytes(MEBIBYTE));
    const uploads = async () => (await store.s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? [];
    await expect.poll(uploads).toHaveLength(1);
    if (how.includes('signal')) stop.abort(new Error('The job was cancelled'));
    await writer.abort();
    expect(await uploads()).toEqual([]);
    expect((await store.s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).toEqual([]);
  },
);
