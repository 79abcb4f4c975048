import { gunzipSync, zstdDecompressSync } from 'node:zlib';

/** Decompresses a file of any number of zstd frames or gzip members; Node's own zstd stops after the first frame. */
export function expand(bytes: Buffer, format: 'zst' | 'gz'): Buffer {
  if (format === 'gz') return gunzipSync(bytes);
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { buffer, engine } = zstdDecompressSync(bytes.subarray(at), { info: true }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    frames.push(buffer);
    at += engine.bytesWritten;
  }
  return Buffer.concat(frames);
}
