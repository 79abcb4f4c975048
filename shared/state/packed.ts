import { deflateRawSync, inflateRawSync } from 'node:zlib';

/** What DynamoDB takes as one item is 400 KB; unpacked it may be many times that. */
const MOST_BYTES = 16 * 1_048_576;

/**
 * JSON as DynamoDB stores it for a fifth of what its text costs: a write is paid for each kilobyte. For what only ever is read as a whole.
 */
export function pack(value: unknown): Uint8Array {
  return deflateRawSync(JSON.stringify(value));
}

/** @returns what was packed, or written as text by an older version */
export function unpack(stored: unknown): unknown {
  if (typeof stored === 'string') return JSON.parse(stored);
  if (!(stored instanceof Uint8Array)) throw new TypeError('A stored value is neither packed nor text');
  return JSON.parse(inflateRawSync(stored, { maxOutputLength: MOST_BYTES }).toString('utf8'));
}
