/** Longer lines are told by their beginning only. */
const HEAD_BYTES = 65_536;

const NEWLINE = 0x0a;

/**
 * Finds the ends of lines in blocks of text that begin and end anywhere, without keeping more of a line than its head.
 *
 * @returns takes the next block, and calls `onLine` for each line that ends in it: with its head, and the offset behind its newline
 */
export function lineScanner(): (block: Buffer, onLine: (head: string, end: number) => void) => void {
  let carried = '';

  return (block, onLine) => {
    let start = 0;
    for (;;) {
      const newline = block.indexOf(NEWLINE, start);
      const end = newline < 0 ? block.length : newline;
      const room = HEAD_BYTES - carried.length;
      const part = room > 0 ? block.toString('latin1', start, Math.min(end, start + room)) : '';
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
