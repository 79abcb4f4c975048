import type { Manifest, StoredChunk } from '../../manifest.ts';
import { readObject } from '../../objects/object-store.ts';
import type { BackupSource } from '../load-rows.ts';

const NEWLINE = 0x0a;
/** A row that is longer is not looked at. */
const MOST_BYTES = 8 * 1_048_576;

/**
 * Reads the first rows of a stored chunk, as COPY text of whole rows, and no more of the object than that. What is read is authentic,
 * as all of it is when it is loaded; whether the object is complete is not looked at.
 *
 * @param rows - at most so many
 */
export async function firstRows(
  { store, location }: BackupSource,
  { path }: StoredChunk,
  { rows, signal }: { rows: number; signal: AbortSignal },
): Promise<Buffer> {
  const blocks: Buffer[] = [];
  let bytes = 0;
  let ended = 0;
  for await (const block of readObject(store, location, path, { compressed: true, signal })) {
    blocks.push(Buffer.from(block));
    bytes += block.length;
    for (const byte of block) if (byte === NEWLINE) ended += 1;
    if (ended >= rows || bytes >= MOST_BYTES) break;
  }
  const text = Buffer.concat(blocks);
  const end = endOfRows(text, rows);
  return text.subarray(0, end > 0 ? end : text.lastIndexOf(NEWLINE) + 1);
}

/** Where so many rows end; 0: there are fewer. */
function endOfRows(text: Buffer, rows: number): number {
  let end = 0;
  for (let row = 0; row < rows; row++) {
    end = text.indexOf(NEWLINE, end) + 1;
    if (end === 0) return 0;
  }
  return end;
}

/** The first, the middle and the last chunk with rows of a table: what it began with is not all that it holds. */
export function spreadChunks({ chunks }: Pick<Manifest['tables'][number], 'chunks'>): StoredChunk[] {
  const filled = chunks.filter(({ rows }) => rows > 0);
  const places = new Set([0, Math.floor(filled.length / 2), filled.length - 1]);
  return [...places].flatMap((place) => filled[place] ?? []);
}
