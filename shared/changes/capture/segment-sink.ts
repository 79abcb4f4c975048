import { once } from 'node:events';
import { createZstdCompress } from 'node:zlib';
import { type ObjectStore, type StoredObject, writeObject, zstdParameters } from '../../backup/objects/object-store.ts';
import { changesLocation, type SegmentRange, segmentPath } from '../segments/layout.ts';
import type { ChangesOf } from '../segments/stored-segments.ts';

/** Takes the lines of one segment. */
export interface SegmentSink {
  /** Settles when the block's memory may be used again. */
  write(block: Buffer): Promise<void>;
  /** Compressed bytes that are in memory. */
  readonly held: number;
  /** Stores what was written under the range's name. */
  finish(range: SegmentRange): Promise<StoredObject>;
  abort(): Promise<void>;
}

export interface SinkOptions {
  store: ObjectStore;
  of: ChangesOf;
  compressionLevel: number;
  signal: AbortSignal;
}

/** Keeps nothing: the lines are counted alone. */
export function countingSink(): SegmentSink {
  return {
    held: 0,
    write: async () => undefined,
    finish: async () => ({ path: '', stored_bytes: 0, sha256: '' }) as StoredObject,
    abort: async () => undefined,
  };
}

/** Keeps the lines, compressed, until it is known where the segment ends: that is in its name, which is bound into the object. */
export function holdingSink({ store, of, compressionLevel, signal }: SinkOptions): SegmentSink {
  const chunks: Buffer[] = [];
  let held = 0;
  const compress = createZstdCompress({ params: zstdParameters(compressionLevel) });
  compress.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    held += chunk.length;
  });
  return {
    get held() {
      return held;
    },
    write: (block) =>
      new Promise((resolve, reject) => {
        compress.write(block, (error) => (error ? reject(error) : resolve()));
      }),
    async finish(range) {
      compress.end();
      if (!compress.readableEnded) await once(compress, 'end');
      const location = changesLocation(of.database, of.slot);
      const writer = writeObject(store, location, segmentPath(range), { compressionLevel: null, signal });
      try {
        for (const chunk of chunks) await writer.write(chunk);
        return await writer.finish();
      } catch (error) {
        await writer.abort();
        throw error;
      } finally {
        chunks.length = 0;
      }
    },
    async abort() {
      compress.destroy();
      chunks.length = 0;
    },
  };
}

/** Sends the lines on as they come, for a segment whose range is known before: one large transaction. */
export function streamingSink({ store, of, compressionLevel, signal }: SinkOptions, range: SegmentRange): SegmentSink {
  const location = changesLocation(of.database, of.slot);
  const writer = writeObject(store, location, segmentPath(range), { compressionLevel, signal });
  return {
    held: 0,
    write: (block) => writer.write(block),
    finish: () => writer.finish(),
    abort: () => writer.abort(),
  };
}
