import type { CopyMasker } from './copy-masker.ts';
import type { Prf } from './prf.ts';

const TAB = 0x09;
const NEWLINE = 0x0a;

/**
 * Exchanges the values of some columns, each for itself, among the rows that come together in about one block of COPY text. Rows that
 * are not whole yet are held back. The same text gives the same order.
 *
 * @param columns - places of the columns
 */
export function createShuffler(columns: readonly number[], prf: Prf): CopyMasker {
  let held: Buffer = Buffer.alloc(0);
  const place = new Uint8Array(8);

  /** Where the fields of the columns begin and end, row after row. */
  const findFields = (text: Buffer): { bounds: number[]; rows: number } => {
    const bounds: number[] = [];
    let rows = 0;
    let column = 0;
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const byte = text[at];
      if (byte !== TAB && byte !== NEWLINE) continue;
      if (columns.includes(column)) bounds.push(from, at);
      from = at + 1;
      column += 1;
      if (byte === TAB) continue;
      rows += 1;
      column = 0;
    }
    return { bounds, rows };
  };

  /** A permutation of the rows by the first rows' text (Durstenfeld, 1964). */
  const orderOf = (text: Buffer, rows: number, column: number): Uint32Array => {
    const order = Uint32Array.from({ length: rows }, (_, row) => row);
    prf.of(text, 0, Math.min(text.length, 4096));
    const [seed = 0, other = 0] = prf.words;
    const view = new DataView(place.buffer);
    for (let row = rows - 1; row > 0; row--) {
      view.setUint32(0, (seed ^ row) >>> 0);
      view.setUint32(4, (other ^ column) >>> 0);
      prf.of(place, 0, 8);
      const to = (prf.words[0] as number) % (row + 1);
      const kept = order[row] as number;
      order[row] = order[to] as number;
      order[to] = kept;
    }
    return order;
  };

  const shuffle = (text: Buffer): Buffer => {
    const { bounds, rows } = findFields(text);
    const orders = columns.map((column) => orderOf(text, rows, column));
    const out = Buffer.allocUnsafe(text.length);
    const each = columns.length;
    let used = 0;
    let copied = 0;
    for (let field = 0; field < bounds.length / 2; field++) {
      const from = bounds[field * 2] as number;
      used += text.copy(out, used, copied, from);
      const row = Math.floor(field / each);
      const other = (orders[field % each]?.[row] ?? row) * each + (field % each);
      used += text.copy(out, used, bounds[other * 2], bounds[other * 2 + 1]);
      copied = bounds[field * 2 + 1] as number;
    }
    text.copy(out, used, copied);
    return out;
  };

  return {
    transform(block) {
      const whole = held.length > 0 ? Buffer.concat([held, block]) : block;
      const end = whole.lastIndexOf(NEWLINE) + 1;
      held = Buffer.from(whole.subarray(end));
      return end === 0 ? Buffer.alloc(0) : shuffle(whole.subarray(0, end));
    },
  };
}
