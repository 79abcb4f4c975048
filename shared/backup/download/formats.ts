import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip, createZstdDecompress, gzip, constants as zlib, zstdCompress } from 'node:zlib';
import type { DownloadFormat } from '../../contract/schemas/download.ts';

const compressZstd = promisify(zstdCompress);
const compressGzip = promisify(gzip);

const BLOCK_BYTES = 262_144;
/** Rows are many, and somebody waits for them. */
const GZIP_LEVEL = 3;

/**
 * A compression of scripts whose compressed pieces can be put one after the other: decompressed, they are the pieces one after the
 * other (RFC 8878, 3.1; RFC 1952, 2.2). So a file can be made over many invocations.
 */
export interface ScriptFormat {
  contentType: string;
  /** Compresses a text. */
  text(text: string): Promise<Buffer>;
  /** Compresses rows, given as they are stored: in zstd. */
  rows(stored: AsyncIterable<Buffer>, signal: AbortSignal): AsyncIterable<Buffer>;
}

export const scriptFormats: Readonly<Record<DownloadFormat, ScriptFormat>> = {
  'sql.zst': {
    contentType: 'application/zstd',
    text: (text) => compressZstd(text),
    rows: (stored) => stored,
  },
  'sql.gz': {
    contentType: 'application/gzip',
    text: (text) => compressGzip(text),
    rows: recompress,
  },
};

async function* recompress(stored: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  const source = Readable.from(stored, { objectMode: true, highWaterMark: 2 });
  const expand = createZstdDecompress({ chunkSize: BLOCK_BYTES });
  const compress = createGzip({ level: GZIP_LEVEL, chunkSize: BLOCK_BYTES, memLevel: zlib.Z_MAX_MEMLEVEL });
  let failure: unknown;
  const flow = pipeline(source, expand, compress, { signal }).catch((error: unknown) => {
    failure = error;
  });
  try {
    for await (const block of compress) yield block as Buffer;
  } catch (error) {
    await flow;
    throw failure ?? error;
  } finally {
    for (const stream of [source, expand, compress]) stream.destroy();
  }
  await flow;
  if (failure !== undefined) throw failure;
}
