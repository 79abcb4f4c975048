import { readOwnMessage } from '../definitions/told.ts';

/** Longer lines are told by their beginning only. */
const HEAD_BYTES = 65_536;

/** More than messages of the event triggers ever have, so that their signatures can be checked. Others may write longer ones. */
const MESSAGE_BYTES = 8_388_608;

/** Within so many bytes a line says that it is a message of ours. */
const OPENING_BYTES = 256;

const NEWLINE = 0x0a;

/**
 * Finds the ends of lines in blocks of text that begin and end anywhere, without keeping more of a line than its head.
 *
 * @returns takes the next block, and calls `onLine` for each line that ends in it: with its head, and the offset behind its newline
 */
export function lineScanner(): (block: Buffer, onLine: (head: string, end: number) => void) => void {
  let carried = '';

  /** How many of the next bytes of a line that is longer than others' heads are kept. */
  const keptOfLong = (block: Buffer, start: number, bytes: number): number => {
    const opening = carried.slice(0, OPENING_BYTES) + block.toString('latin1', start, start + OPENING_BYTES);
    const most = readOwnMessage(opening.slice(opening.indexOf('\t') + 1)) ? MESSAGE_BYTES : HEAD_BYTES;
    return Math.max(0, Math.min(bytes, most - carried.length));
  };

  return (block, onLine) => {
    let start = 0;
    for (;;) {
      const newline = block.indexOf(NEWLINE, start);
      const end = newline < 0 ? block.length : newline;
      const bytes = end - start;
      const kept = carried.length + bytes <= HEAD_BYTES ? bytes : keptOfLong(block, start, bytes);
      const part = block.toString('latin1', start, start + kept);
      if (newline < 0) {
        carried += part;
        return;
      }
      onLine(carried === '' ? part : carried + part, newline + 1);
      carried = '';
      start = newline + 1;
    }
  };
}
