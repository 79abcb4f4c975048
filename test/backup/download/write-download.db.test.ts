import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { downloadKey } from '../../../shared/backup/download/download-key.ts';
import { type DownloadStore, partBytesFor } from '../../../shared/backup/download/multipart.ts';
import {
  abortDownload,
  beginDownload,
  type DownloadDependencies,
  type DownloadState,
  writeDownload,
} from '../../../shared/backup/download/write-download.ts';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import type { Progress } from '../../../shared/contract/schemas/job.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase, withClient } from '../../support/servers.ts';
import { useBackupHarness } from '../support/harness.ts';
import { contentOf, createDownloadBucket, downloadOf, makeDownload, never } from './support.ts';

const harness = useBackupHarness();
const server = anyServer();
let downloads: DownloadStore;
let source: ScratchDatabase;
let manifest: Manifest;

beforeAll(async () => {
  downloads = await createDownloadBucket(harness);
  source = await createScratchDatabase(server);
  // Text that compresses to a half, so that the file has several parts; and many small tables.
  await withClient(server, source.name, (client) =>
    client.query(`
      CREATE TABLE large AS SELECT n, (SELECT string_agg(md5((n * 100 + i)::text), '') FROM generate_series(1, 40) i) AS t
        FROM generate_series(1, 40000) n;
      DO $$ BEGIN FOR i IN 1..30 LOOP EXECUTE format('CREATE TABLE small_%s AS SELECT %s AS n', i, i); END LOOP; END $$`),
  );
  manifest = await harness.backUp(source.target(), { settings: { chunk_bytes: 8 * 1_048_576 } });
});
afterAll(async () => {
  await source?.drop();
});

const dependencies = (changes: Partial<DownloadDependencies> = {}): DownloadDependencies => ({
  store: harness.store,
  downloads,
  report: async () => undefined,
  signal: never,
  timeIsOver: never,
  ...changes,
});

/** The script without the key that is another one for each job. */
const scriptOf = async (key: string): Promise<string> => {
  const text = (await contentOf(downloads, key)).toString('utf8');
  return createHash('sha256')
    .update(text.replace(/^(\\(?:un)?restrict) \w+$/gm, '$1'))
    .digest('hex');
};

/** Runs work, and something else each time that a part of its file is stored. */
async function atEachPart<Result>(then: () => Promise<void> | void, work: () => Promise<Result>): Promise<Result> {
  const { middlewareStack } = downloads.s3;
  middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const answer = await next(args);
        if (commandName === 'UploadPartCommand') await then();
        return answer;
      },
    { step: 'initialize', name: 'at each part' },
  );
  try {
    return await work();
  } finally {
    middlewareStack.remove('at each part');
  }
}

test.each(['sql.zst', 'sql.gz'] as const)(
  'a file that is made in many pieces, after attempts that were ended, is the same as one made in one go (%s)',
  async (format) => {
    const whole = await scriptOf(await makeDownload(harness, downloads, downloadOf(manifest, format)));
    const request = downloadOf(manifest, format);
    const states: DownloadState[] = [await beginDownload(request, downloads)];
    let bytes: number | undefined;
    let last: Progress | undefined;
    const report = async (progress: Progress): Promise<void> => {
      last = progress;
    };
    while (bytes === undefined) {
      const from = states.at(-1) as DownloadState;
      // An invocation that is ended in the middle leaves parts that nobody counts; the last one, a file that nobody was told of.
      if (format === 'sql.zst') {
        const killed = new AbortController();
        const dying = () => writeDownload(request, from, dependencies({ signal: killed.signal }));
        await atEachPart(() => killed.abort(new Error('ended')), dying).catch(() => undefined);
      }
      const written = await writeDownload(request, from, dependencies({ timeIsOver: AbortSignal.abort(), report }));
      if ('bytes' in written) bytes = written.bytes;
      else states.push(written.state);
    }
    expect(states.length).toBeGreaterThan(3);
    expect(await scriptOf(downloadKey(request))).toBe(whole);
    expect(last?.rows).toEqual({ done: manifest.totals.rows, total: manifest.totals.rows });
    const head = await downloads.s3.send(
      new HeadObjectCommand({ Bucket: downloads.bucket, Key: downloadKey(request) }),
    );
    expect(head).toMatchObject({
      ContentLength: bytes,
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: downloads.keyArn,
      ContentDisposition: `attachment; filename="tested-${manifest.id}.${format}"`,
    });
  },
);

test('a damaged object ends the work, and nothing is offered', async () => {
  const damaged = await harness.backUp(source.target());
  const path = damaged.tables.find(({ name }) => name === 'small_7')?.chunks[0]?.path;
  const Key = (await harness.keys(damaged)).find((key) => path && key.endsWith(path)) ?? '';
  const bytes = await harness.read(Key);
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
  await harness.store.s3.send(new PutObjectCommand({ Bucket: harness.store.bucket, Key, Body: bytes }));
  const request = downloadOf(damaged);
  const state = await beginDownload(request, downloads);
  await expect(writeDownload(request, state, dependencies())).rejects.toMatchObject({ code: 'object_damaged' });
  await abortDownload(request, state, downloads);
  // Again is no failure.
  await abortDownload(request, state, downloads);
  await expect(contentOf(downloads, downloadKey(request))).rejects.toMatchObject({ name: 'NoSuchKey' });
});

test('memory does not grow with the rows', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held: number[] = [];
  const measure = async (): Promise<void> => {
    collect();
    // What was collected is given back a little later.
    await setImmediate();
    collect();
    held.push(process.memoryUsage().arrayBuffers);
  };
  const request = downloadOf(manifest, 'sql.gz');
  const state = await beginDownload(request, downloads);
  await atEachPart(measure, () => writeDownload(request, state, dependencies()));
  expect(held.length).toBeGreaterThan(3);
  // Parts of 5 MiB: two that gather, two that are copied, one on its way; and blocks of the streams.
  expect(Math.max(...held)).toBeLessThan(40_000_000);
  expect(manifest.totals.bytes).toBeGreaterThan(50_000_000);
});

test('parts are as large as the file asks, and no larger than they must be', () => {
  expect(partBytesFor(0)).toBe(5 * 1_048_576);
  expect(partBytesFor(40e9)).toBe(5 * 1_048_576);
  for (const bytes of [1e11, 1e12, 5e12]) expect(bytes / partBytesFor(bytes)).toBeLessThanOrEqual(9000);
});
