import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { DamagedObject } from '../../contract/schemas/validation.ts';
import type { ErrorCode } from '../../core/errors/catalogue.ts';
import { OperationError } from '../../errors.ts';
import { schemaDumpSchema } from '../../postgres/pg-dump/schema-dump.ts';
import { explainStoreFailure, readObject, readWhole } from '../objects/object-store.ts';
import { releaseBlock } from '../objects/release-block.ts';
import type { BackupSource } from '../restore/load-rows.ts';
import type { NamedObject } from './objects.ts';

/** Failures of a reading that speak of the object; any other may be those of S3, KMS or the network. */
const DAMAGES: ReadonlySet<string> = new Set([
  'object_missing',
  'object_misplaced',
  'object_damaged',
] satisfies ErrorCode[]);

/**
 * Reads one object to its end: decrypts it under its context, decompresses, hashes and counts it.
 *
 * @param onBytes - told of the COPY text as it passes
 * @returns what is wrong with it; null when nothing is
 * @throws OperationError `store_failed`, `key_refused` or `bucket_missing`; what the signal was aborted with
 */
export async function checkObject(
  source: BackupSource,
  object: NamedObject,
  { onBytes, signal }: { onBytes: (bytes: number) => void; signal: AbortSignal },
): Promise<DamagedObject | null> {
  const { expected, content } = object;
  const damaged = (code: string, message: string): DamagedObject => ({ path: expected.path, code, message });
  const reading = { compressed: true, expected, signal };
  try {
    if (content === null) {
      const text = await readWhole(source.store, source.location, expected.path, reading);
      return isSchema(text) ? null : damaged('schema_unreadable', 'The definitions are not in the form of this format');
    }
    let rows = 0;
    let bytes = 0;
    for await (const block of readObject(source.store, source.location, expected.path, reading)) {
      rows += countLines(block);
      bytes += block.length;
      onBytes(block.length);
      releaseBlock(block);
    }
    if (rows === (content.rows ?? rows) && bytes === content.bytes) return null;
    const message = `It holds ${rows} rows in ${bytes} bytes, the manifest says ${content.rows ?? rows} in ${content.bytes}`;
    return damaged('rows_differ', message);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof OperationError)) throw error;
    if (DAMAGES.has(error.code)) return damaged(error.code, error.message);
    // Damage to what KMS is asked to open looks as if KMS refused its key: only the stored bytes tell the two apart.
    if (await isAsStored(source, expected, signal)) throw error;
    return damaged(
      'object_damaged',
      'Its bytes are not those that the manifest names: its size or its checksum differs',
    );
  }
}

function isSchema(text: Buffer): boolean {
  try {
    return schemaDumpSchema.safeParse(JSON.parse(text.toString('utf8'))).success;
  } catch {
    return false;
  }
}

const LINE_FEED = 10;

/** Rows of COPY text end with a line feed each; one within a value is written as `\n`. */
function countLines(block: Buffer): number {
  let lines = 0;
  for (let at = 0; at < block.length; at++) if (block[at] === LINE_FEED) lines += 1;
  return lines;
}

/** Whether the bucket holds just the bytes that the manifest names, whatever they are. */
async function isAsStored(
  { store, location }: BackupSource,
  { path, stored_bytes, sha256 }: NamedObject['expected'],
  signal: AbortSignal,
): Promise<boolean> {
  const key = location.prefix + path;
  try {
    const command = new GetObjectCommand({ Bucket: store.bucket, Key: key });
    const { Body } = await store.s3.send(command, { abortSignal: signal });
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const block of Body as Readable) {
      signal.throwIfAborted();
      bytes += (block as Buffer).length;
      hash.update(block as Buffer);
    }
    return bytes === stored_bytes && hash.digest('hex') === sha256;
  } catch (error) {
    signal.throwIfAborted();
    throw explainStoreFailure(error, key);
  }
}
