import { createHash } from 'node:crypto';
import { PassThrough, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import type { S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { OperationError } from '../../errors.ts';
import { explainKeyFailure } from './key-failure.ts';
import { readBody } from './read-body.ts';
import { type EncryptionContext, openStream, sealStream } from './seal.ts';

/** The least that S3 takes; several parts are in memory at a time. */
const PART_BYTES = 5 * 1_048_576;
const PARTS_IN_FLIGHT = 2;
/** Of plain content that is read, a block at a time. */
export const STREAM_BLOCK_BYTES = 262_144;

/** Where sealed objects lie and under which key. */
export interface ObjectStore {
  s3: S3Client;
  bucket: string;
  keyArn: string;
  /** Keys that opened what was stored in former times. */
  formerKeyArns?: readonly string[];
}

/** The identity of one backup's objects: their prefix and what is bound into each. */
export interface BackupLocation {
  prefix: string;
  context: EncryptionContext;
}

export interface StoredObject {
  /** Below the backup's prefix. */
  path: string;
  stored_bytes: number;
  /** SHA-256 of the stored bytes, hexadecimal. */
  sha256: string;
}

export interface WriteOptions {
  /** zstd level; null stores the bytes uncompressed (they are encrypted all the same). */
  compressionLevel: number | null;
  signal: AbortSignal;
}

/** An object being written: feed it blocks, then `finish`; or `abort`, after which nothing of it is left in the bucket. */
export interface ObjectWriter {
  /** As it was given. */
  readonly path: string;
  /** Settles when the block's memory may be used again. */
  write(block: Buffer): Promise<void>;
  finish(): Promise<StoredObject>;
  abort(): Promise<void>;
}

/** Counts and hashes what passes. */
class Meter extends Transform {
  bytes = 0;
  readonly #hash = createHash('sha256');

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void): void {
    this.bytes += chunk.length;
    this.#hash.update(chunk);
    done(null, chunk);
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

/**
 * Rows repeat each other at distances far beyond the half megabyte that the fast levels look back. A larger window, and a hash
 * table that finds what is in it, store about an eighth less for little more processor time (docs/decisions/0003).
 */
export function zstdParameters(level: number): Record<number, number> {
  const distance =
    level <= 2
      ? { [constants.ZSTD_c_windowLog]: 21, [constants.ZSTD_c_hashLog]: 16 }
      : { [constants.ZSTD_c_windowLog]: 23 };
  return {
    [constants.ZSTD_c_compressionLevel]: level,
    ...distance,
    [constants.ZSTD_c_checksumFlag]: 1,
  };
}

function contextOf(location: BackupLocation, path: string): EncryptionContext {
  return { ...location.context, path };
}

/**
 * Opens a sealed object for writing: compress, encrypt, upload in parts. Memory is bounded by the parts in flight.
 */
export function writeObject(
  store: ObjectStore,
  location: BackupLocation,
  path: string,
  { compressionLevel, signal }: WriteOptions,
): ObjectWriter {
  const compress =
    compressionLevel === null
      ? new PassThrough()
      : createZstdCompress({ chunkSize: STREAM_BLOCK_BYTES, params: zstdParameters(compressionLevel) });
  const seal = sealStream(store.keyArn, contextOf(location, path));
  const meter = new Meter();
  const upload = new Upload({
    client: store.s3,
    params: {
      Bucket: store.bucket,
      Key: location.prefix + path,
      Body: meter,
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: store.keyArn,
      BucketKeyEnabled: true,
    },
    partSize: PART_BYTES,
    queueSize: PARTS_IN_FLIGHT,
    leavePartsOnError: false,
  });
  let failure: unknown;
  const failed = Promise.withResolvers<void>();
  const fail = (error: unknown): void => {
    failure ??= error;
    failed.resolve();
    compress.destroy();
    seal.destroy();
    // An upload whose source fails ends its parts, takes them back, and only then says so; its own abort() waits for neither.
    meter.destroy(error instanceof Error ? error : new Error('The upload failed', { cause: error }));
  };
  meter.on('error', () => undefined);
  const stored = upload.done().catch(fail);
  const flow = pipeline(compress, seal, meter, { signal }).catch(async (error: Error) => {
    // An upload that fails closes its source first, whose error then says no more than that: the upload's own is the cause.
    if (error.name === 'AbortError' && !signal.aborted) await stored;
    fail(error);
  });

  const rethrow = (): void => {
    if (failure !== undefined) throw explainStoreFailure(failure, location.prefix + path);
  };

  return {
    path,
    async write(block) {
      rethrow();
      // Settled when the block is compressed, not when it is queued: the caller uses its memory again.
      const compressed = new Promise<void>((resolve) => {
        compress.write(block, () => resolve());
      });
      // A compressor that is destroyed while it waits for room never says what became of its block.
      await Promise.race([compressed, failed.promise]);
      rethrow();
    },
    async finish() {
      compress.end();
      await Promise.all([flow, stored]);
      rethrow();
      return { path, stored_bytes: meter.bytes, sha256: meter.digest() };
    },
    async abort() {
      fail(new Error('The object was abandoned'));
      await Promise.allSettled([flow, stored]);
    },
  };
}

/** Writes a small object in one go. */
export async function writeWhole(
  store: ObjectStore,
  location: BackupLocation,
  path: string,
  bytes: Buffer,
  options: WriteOptions,
): Promise<StoredObject> {
  const writer = writeObject(store, location, path, options);
  try {
    await writer.write(bytes);
    return await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

export interface ReadOptions {
  compressed: boolean;
  /** What the manifest says of the object; checked when the stream ends. Absent for the manifest itself. */
  expected?: StoredObject;
  signal: AbortSignal;
}

/**
 * Streams an object's plain content. The stream fails, before it ends, when a byte of the object is not what was written.
 *
 * @throws OperationError `object_missing`, `object_misplaced`, `object_damaged`, `key_refused`, `key_unavailable` or `store_failed`
 */
export async function* readObject(
  store: ObjectStore,
  location: BackupLocation,
  path: string,
  { compressed, expected, signal }: ReadOptions,
): AsyncGenerator<Buffer> {
  const key = location.prefix + path;
  const meter = new Meter({ highWaterMark: STREAM_BLOCK_BYTES });
  const open = openStream([store.keyArn, ...(store.formerKeyArns ?? [])], contextOf(location, path));
  const expand = compressed ? createZstdDecompress({ chunkSize: STREAM_BLOCK_BYTES }) : new PassThrough();
  const stop = new AbortController();
  const body = readBody(store.s3, { Bucket: store.bucket, Key: key }, AbortSignal.any([signal, stop.signal]));
  try {
    let failure: unknown;
    const flow = pipeline(body, meter, open, expand, { signal }).catch((error: unknown) => {
      failure = error;
    });
    // The pipeline destroys `expand` when an earlier stream fails; the cause is thrown in its place.
    try {
      for await (const block of expand) yield block as Buffer;
    } catch (error) {
      await flow;
      throw failure ?? error;
    }
    await flow;
    if (failure !== undefined) throw failure;
    if (expected && (meter.bytes !== expected.stored_bytes || meter.digest() !== expected.sha256)) {
      throw new OperationError(
        'object_damaged',
        `The object ${key} is not the one that the manifest names: its size or its checksum differs`,
        'Restore the object from a former version in the bucket, or use another backup.',
      );
    }
  } catch (error) {
    throw explainStoreFailure(error, key);
  } finally {
    stop.abort();
    for (const stream of [meter, open, expand]) stream.destroy();
  }
}

/** Reads a small object whole. */
export async function readWhole(
  store: ObjectStore,
  location: BackupLocation,
  path: string,
  options: ReadOptions,
): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for await (const block of readObject(store, location, path, options)) blocks.push(block);
  return Buffer.concat(blocks);
}

/** Turns an error of S3, KMS or the encryption library into words an administrator can act on. */
export function explainStoreFailure(error: unknown, key: string): unknown {
  if (error instanceof OperationError) return error;
  if (!(error instanceof Error) || error.name === 'AbortError') return error;
  const name = error.name;
  const related = `${name} ${error.message}`;
  if (name === 'NoSuchBucket') {
    return new OperationError('bucket_missing', 'The backup bucket does not exist', 'Deploy the storage stack again.', {
      cause: error,
    });
  }
  if (name === 'NoSuchKey' || name === 'NotFound') {
    return new OperationError(
      'object_missing',
      `The object ${key} is not in the bucket`,
      'Restore it from a former version in the bucket, or use another backup.',
      { cause: error },
    );
  }
  // What KMS is to open is not what it closed: the header was changed, not the key.
  if (/InvalidCiphertext/.test(related)) return damagedObject(key, error);
  const ofKey = explainKeyFailure(error, key);
  if (ofKey) return ofKey;
  if (
    /unable to authenticate|Malformed|commitment|unsupported state|bad decrypt|ZSTD|zstd|Unknown frame|premature|ERR_STREAM_PREMATURE|message format|Incomplete (?:header|message)|Unknown format|Unrecognized content|Unsupported ciphertext|Invalid|out of (range|bounds)|Content (sequence|type)/i.test(
      related,
    )
  ) {
    return damagedObject(key, error);
  }
  return new OperationError(
    'store_failed',
    `S3 failed at ${key}: ${name}: ${error.message}`,
    'Try again; if it persists, check the bucket and the permissions of the function.',
    { cause: error },
  );
}

function damagedObject(key: string, cause: Error): OperationError {
  return new OperationError(
    'object_damaged',
    `The object ${key} was changed or cut short after it was written (${cause.message.split('\n')[0]?.trim()})`,
    'Restore the object from a former version in the bucket, or use another backup.',
    { cause },
  );
}
