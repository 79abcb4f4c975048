import { type BackupLocation, type ObjectStore, readObject, type StoredObject } from './object-store.ts';

/** An object whose reading has begun, whether or not its content is wanted yet. */
export interface BegunObject {
  /** The plain content, to be read once. */
  readonly content: AsyncGenerator<Buffer>;
  /** Ends the reading, wherever it is, and the connection with it. */
  close(): Promise<void>;
}

/**
 * Begins to read a compressed object before its content is wanted: S3 is asked for it and KMS for its key, and what comes fills the
 * streams' own buffers and no more. To be closed on every path: an object that nobody reads keeps its connection.
 *
 * @throws nothing; `content` throws as {@link readObject}
 */
export function beginObject(
  { store, location }: { store: ObjectStore; location: BackupLocation },
  object: StoredObject,
  signal: AbortSignal,
): BegunObject {
  const stop = new AbortController();
  const blocks = readObject(store, location, object.path, {
    compressed: true,
    expected: object,
    signal: AbortSignal.any([signal, stop.signal]),
  });
  const first = blocks.next();
  // Thrown where the content is read, if it ever is.
  first.catch(() => undefined);
  async function* content(): AsyncGenerator<Buffer> {
    try {
      const { done, value } = await first;
      if (done) return;
      yield value;
      yield* blocks;
    } finally {
      await blocks.return(undefined);
    }
  }
  return {
    content: content(),
    async close() {
      stop.abort();
      await blocks.return(undefined).catch(() => undefined);
    },
  };
}
