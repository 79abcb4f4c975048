import { createHash, type Hash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { AwsError } from '../errors.ts';
import { createChunkDecoder } from './chunk-decoder.ts';

export type Received = {
  size: number;
  /** Hex; null when it was not asked for. */
  md5: string | null;
  /** The checksum the client sent and that was found right: header name and value. */
  checksum: { name: string; value: string } | null;
};

type Meter = { update(chunk: Buffer): void; digest(): string };

const hashMeter = (hash: Hash): Meter => ({
  update: (chunk) => hash.update(chunk),
  digest: () => hash.digest('base64'),
});

function crc32Meter(): Meter {
  let value = 0;
  return {
    update: (chunk) => {
      value = crc32(chunk, value);
    },
    digest: () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes.toString('base64');
    },
  };
}

/** The checksums that are verified; S3's others (CRC32C, CRC64NVME) are taken unseen. */
const meters: Readonly<Record<string, () => Meter>> = {
  'x-amz-checksum-crc32': crc32Meter,
  'x-amz-checksum-sha1': () => hashMeter(createHash('sha1')),
  'x-amz-checksum-sha256': () => hashMeter(createHash('sha256')),
};

/**
 * Streams a request's body into a file, in constant memory. A body that is cut short or does not match its declared size or
 * checksum leaves no file.
 *
 * @throws AwsError `IncompleteBody`, `BadDigest`
 */
export async function receive(request: IncomingMessage, path: string, wantMd5: boolean): Promise<Received> {
  const { headers } = request;
  const encoded =
    String(headers['content-encoding'] ?? '').includes('aws-chunked') ||
    String(headers['x-amz-content-sha256']).startsWith('STREAMING-');
  const trailers = new Map<string, string>();
  const announced = Object.keys(meters).find(
    (name) => name in headers || String(headers['x-amz-trailer'] ?? '').toLowerCase() === name,
  );
  const meter = announced === undefined ? undefined : meters[announced]?.();
  const md5 = wantMd5 || headers['content-md5'] !== undefined ? createHash('md5') : undefined;
  let size = 0;

  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      meter?.update(chunk);
      md5?.update(chunk);
      done(null, chunk);
    },
  });

  try {
    const decoder = encoded ? [createChunkDecoder(trailers)] : [];
    await pipeline([
      request,
      ...decoder,
      measure,
      createWriteStream(path, { highWaterMark: 1024 * 1024, mode: 0o600 }),
    ]);
    const expectedSize = Number(
      headers['x-amz-decoded-content-length'] ?? (encoded ? Number.NaN : headers['content-length']),
    );
    if (!Number.isNaN(expectedSize) && expectedSize !== size)
      throw new AwsError('IncompleteBody', `Got ${size} bytes of ${expectedSize}`);
    const digest = md5?.digest();
    if (headers['content-md5'] !== undefined && headers['content-md5'] !== digest?.toString('base64'))
      throw badDigest('Content-MD5');
    const checksum = announced === undefined || meter === undefined ? null : { name: announced, value: meter.digest() };
    if (checksum && checksum.value !== (headers[checksum.name] ?? trailers.get(checksum.name)))
      throw badDigest(checksum.name);
    return { size, md5: digest?.toString('hex') ?? null, checksum };
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

function badDigest(name: string): AwsError {
  return new AwsError('BadDigest', `The ${name} you specified did not match what we received.`);
}
