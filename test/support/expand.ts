import { buffer } from 'node:stream/consumers';
import { createGunzip, createZstdDecompress } from 'node:zlib';

/** Decompresses a file of any number of zstd frames or gzip members; `zstdDecompressSync` would stop after the first frame. */
export async function expand(bytes: Buffer, format: 'zst' | 'gz'): Promise<Buffer> {
  const stream = format === 'gz' ? createGunzip() : createZstdDecompress();
  stream.end(bytes);
  return buffer(stream);
}
