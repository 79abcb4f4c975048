import { NoSuchUpload } from '@aws-sdk/client-s3';
import * as z from 'zod';
import type { DownloadFormat } from '../../contract/schemas/download.ts';
import { OperationError } from '../../errors.ts';
import { type ReportProgress, startProgress } from '../../progress/progress.ts';
import { MANIFEST } from '../layout.ts';
import { backupLocation } from '../location.ts';
import { parseManifest, type StoredChunk } from '../manifest.ts';
import { explainStoreFailure, type ObjectStore, readObject, readWhole } from '../objects/object-store.ts';
import { readSchema } from '../stored-schema.ts';
import { downloadKey } from './download-key.ts';
import { scriptFormats } from './formats.ts';
import {
  abortUpload,
  beginUpload,
  type DownloadStore,
  findFile,
  MOST_BYTES,
  partBytesFor,
  writeParts,
} from './multipart.ts';
import { readAhead } from './read-ahead.ts';
import { scriptPieces } from './script.ts';

export interface DownloadRequest {
  database: string;
  backupId: string;
  jobId: string;
  format: DownloadFormat;
}

/** From where the making of a file goes on. Plain data, as it is kept between invocations. */
export const downloadStateSchema = z.object({
  upload_id: z.string(),
  parts: z.int(),
  bytes: z.int(),
  /** How many pieces of the script are stored. */
  pieces: z.int(),
  /** What progress has counted. */
  rows: z.int(),
  copied: z.int(),
});

export type DownloadState = z.output<typeof downloadStateSchema>;

export interface DownloadDependencies {
  store: ObjectStore;
  downloads: DownloadStore;
  report: ReportProgress;
  /** Ends the work with an error. */
  signal: AbortSignal;
  /** Ends it at the next place from which it can go on. */
  timeIsOver: AbortSignal;
  /** Least size of a part; by default as small as the file allows. */
  partBytes?: number;
}

/** Objects below this size are fetched some at a time before their turn. */
const SMALL_BYTES = 1_048_576;
const FETCHED_AHEAD = 6;

/** Begins the file of a download. */
export async function beginDownload(request: DownloadRequest, downloads: DownloadStore): Promise<DownloadState> {
  const { database, backupId, format } = request;
  const key = downloadKey(request);
  const begun = await beginUpload(downloads, key, {
    fileName: `${database}-${backupId}.${format}`,
    contentType: scriptFormats[format].contentType,
  }).catch((error: unknown) => {
    throw explainStoreFailure(error, key);
  });
  return { ...begun, pieces: 0, rows: 0, copied: 0 };
}

/** Gives the file of a download up, and what is stored of it. */
export function abortDownload(request: DownloadRequest, state: DownloadState, downloads: DownloadStore): Promise<void> {
  return abortUpload(downloads, downloadKey(request), state.upload_id);
}

/**
 * Writes a backup as a script, or goes on with it. The rows are decrypted and passed on as they are stored (in gzip: compressed
 * anew), so memory does not depend on their number.
 *
 * @param begun - where an earlier call stopped; see {@link beginDownload}
 * @returns the bytes of the finished file, or where to go on
 * @throws OperationError as `readObject`; `download_too_large`; what was stored before is kept
 */
export async function writeDownload(
  request: DownloadRequest,
  begun: DownloadState,
  { store, downloads, report, signal, timeIsOver, partBytes: given }: DownloadDependencies,
): Promise<{ bytes: number } | { state: DownloadState }> {
  const location = backupLocation(request.database, request.backupId);
  const key = downloadKey(request);
  const format = scriptFormats[request.format];
  const progress = startProgress(report);
  try {
    const manifest = parseManifest(await readWhole(store, location, MANIFEST, { compressed: false, signal }));
    const schema = await readSchema(store, location, manifest, signal);
    const { rows, bytes, stored_bytes: storedBytes } = manifest.totals;
    // Of compressed rows their size is known; gzip makes them at most as large as they are.
    const expected = request.format === 'sql.zst' ? storedBytes * 1.1 : bytes;
    if (expected > MOST_BYTES) throw tooLarge();
    const partBytes = given ?? partBytesFor(expected);
    progress.phase('script');
    progress.total({ rows, bytes });

    const pieces = [...scriptPieces(manifest, schema, request.jobId.replace(/\W/g, ''))];
    progress.add({ rows: begun.rows, bytes: begun.copied });
    const counted = { rows: begun.rows, copied: begun.copied };
    const stored = (chunk: StoredChunk) =>
      readObject(store, location, chunk.path, { compressed: false, expected: chunk, signal });
    const rest = pieces.slice(begun.pieces);
    const chunks = rest.flatMap((piece) => ('chunk' in piece ? piece.chunk : []));
    const ahead = readAhead(
      chunks.filter((chunk) => chunk.stored_bytes <= SMALL_BYTES),
      FETCHED_AHEAD,
      (chunk) => readWhole(store, location, chunk.path, { compressed: false, expected: chunk, signal }),
    );
    const writer = writeParts(downloads, key, begun, { partBytes, signal });
    try {
      for (const [index, piece] of rest.entries()) {
        signal.throwIfAborted();
        if ('text' in piece) await writer.write(await format.text(piece.text));
        else {
          const { chunk } = piece;
          const small = ahead.take(chunk);
          const source = small ? one(small) : stored(chunk);
          for await (const block of format.rows(source, signal)) await writer.write(block);
          counted.rows += chunk.rows;
          counted.copied += chunk.bytes;
          progress.add({ rows: chunk.rows, bytes: chunk.bytes });
        }
        if (!timeIsOver.aborted) continue;
        const reached = await writer.checkpoint();
        if (reached) return { state: { ...reached, ...counted, pieces: begun.pieces + index + 1 } };
      }
      progress.settle();
      return { bytes: await writer.finish() };
    } finally {
      await ahead.close();
      await writer.settle();
    }
  } catch (error) {
    // An attempt before this one ended between the end of the upload and the record of it: a job has a key of its own.
    const bytes = error instanceof NoSuchUpload ? await findFile(downloads, key).catch(() => null) : null;
    if (bytes !== null) return { bytes };
    if (signal.aborted && (signal.reason as Error | null)?.name === 'TimeoutError') throw objectTooLong();
    throw explainStoreFailure(signal.aborted ? (signal.reason ?? error) : error, key);
  } finally {
    await progress.close();
  }
}

async function* one(bytes: Promise<Buffer>): AsyncGenerator<Buffer> {
  yield await bytes;
}

function objectTooLong(): OperationError {
  return new OperationError(
    'time_exceeded',
    'Some object of the backup takes longer to pass on than one invocation may last',
    'Lower backups.chunk_bytes and back up again; or fetch the encrypted objects with format=objects.',
  );
}

function tooLarge(): OperationError {
  return new OperationError(
    'download_too_large',
    'The script may become larger than the 5 TiB that S3 takes for one object',
    'Fetch the encrypted objects with format=objects, or restore the backup.',
  );
}
