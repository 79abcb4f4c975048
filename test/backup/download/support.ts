import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CreateBucketCommand, GetObjectCommand } from '@aws-sdk/client-s3';
import { downloadKey } from '../../../shared/backup/download/download-key.ts';
import type { DownloadStore } from '../../../shared/backup/download/multipart.ts';
import {
  beginDownload,
  type DownloadDependencies,
  type DownloadRequest,
  writeDownload,
} from '../../../shared/backup/download/write-download.ts';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import type { DownloadFormat } from '../../../shared/contract/schemas/download.ts';
import { newJobId } from '../../../shared/state/ids.ts';
import { expand } from '../../support/expand.ts';
import { loadScript } from '../../support/psql.ts';
import { createScratchDatabase, type ScratchDatabase, type TestServer } from '../../support/servers.ts';
import { type BackupHarness, DATABASE_ID } from '../support/harness.ts';

export const never = new AbortController().signal;

/** Makes the bucket of downloads beside that of the harness. */
export async function createDownloadBucket({ store }: BackupHarness): Promise<DownloadStore> {
  const downloads = { ...store, bucket: 'downloads' };
  await store.s3.send(new CreateBucketCommand({ Bucket: downloads.bucket }));
  return downloads;
}

export function downloadOf({ id }: Pick<Manifest, 'id'>, format: DownloadFormat = 'sql.zst'): DownloadRequest {
  return { database: DATABASE_ID, backupId: id, jobId: newJobId(), format };
}

/** Makes the file of a download in one go, with the product's own function. @returns its key */
export async function makeDownload(
  { store }: BackupHarness,
  downloads: DownloadStore,
  request: DownloadRequest,
  changes: Partial<DownloadDependencies> = {},
): Promise<string> {
  const state = await beginDownload(request, downloads);
  const dependencies = {
    store,
    downloads,
    report: async () => undefined,
    signal: never,
    timeIsOver: never,
    ...changes,
  };
  const made = await writeDownload(request, state, dependencies);
  if (!('bytes' in made)) throw new Error('The time was over');
  return downloadKey(request);
}

/** Copies a download's file into a folder. @returns its path */
export async function fetchFile(downloads: DownloadStore, key: string, folder: string): Promise<string> {
  const path = join(folder, basename(key));
  const { Body } = await downloads.s3.send(new GetObjectCommand({ Bucket: downloads.bucket, Key: key }));
  await pipeline(Body as Readable, createWriteStream(path));
  return path;
}

/** Loads a download's file into a new database with psql, as its header says. */
export async function loadDownload(
  downloads: DownloadStore,
  key: string,
  server: TestServer,
): Promise<ScratchDatabase & { notices: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'download-tests-'));
  try {
    const file = await fetchFile(downloads, key, folder);
    const database = await createScratchDatabase(server);
    return { ...database, notices: await loadScript(server, database.name, file) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The script in a download's file. */
export async function contentOf(downloads: DownloadStore, key: string): Promise<Buffer> {
  const { Body } = await downloads.s3.send(new GetObjectCommand({ Bucket: downloads.bucket, Key: key }));
  const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
  return expand(bytes, key.endsWith('.gz') ? 'gz' : 'zst');
}
