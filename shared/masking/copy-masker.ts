import { unescapeField, writeEscaped } from './copy-text.ts';
import { type FieldMask, roomOf } from './rules/define-rule.ts';
import type { ValueMask } from './within/value-mask.ts';

const TAB = 0x09;
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;
const CAPITAL_N = 0x4e;
const BLANK = 0x20;

/** Memory for unfinished fields that is kept for the next one. */
const KEPT_BYTES = 1_048_576;

/** How the values of one column are replaced. */
export type ColumnMask =
  | {
      mask: FieldMask;
      /** Blanks at the end are no part of the value: `char(n)`. */
      isPadded: boolean;
    }
  | {
      /** For values that hold others. */
      compose: ValueMask;
    };

/** Changes a stream of COPY text, block by block. COPY ends every row, so with the last block nothing is held back. */
export interface CopyMasker {
  /** @returns the changed text, valid until the next call; rows and fields may be cut anywhere */
  transform(block: Buffer): Buffer;
}

/**
 * Replaces the values of some columns in COPY text (PostgreSQL's documentation of COPY, "Text Format"). What is not masked is copied
 * in whole runs; of what is masked, no more than one unfinished field is held back, so that memory does not grow with the rows.
 *
 * @param columns - by their place in the rows; null: as it is
 */
export function createCopyMasker(columns: readonly (ColumnMask | null)[]): CopyMasker {
  const lastMasked = columns.findLastIndex((column) => column !== null);
  let out = Buffer.allocUnsafe(1_310_720);
  let used = 0;
  let column = 0;
  /** The beginning of a field whose end has not come yet. */
  let held: Buffer = Buffer.alloc(0);
  let heldBytes = 0;
  let plain = new Uint8Array(4096);

  const reserve = (bytes: number): void => {
    if (used + bytes <= out.length) return;
    const grown = Buffer.allocUnsafe(Math.max(out.length * 2, used + bytes));
    out.copy(grown, 0, 0, used);
    out = grown;
  };

  const copyRun = (source: Buffer, from: number, to: number): void => {
    if (from === to) return;
    reserve(to - from);
    source.copy(out, used, from, to);
    used += to - from;
  };

  const hold = (source: Buffer, from: number, to: number): void => {
    const needed = heldBytes + to - from;
    if (held.length < needed) {
      const grown = Buffer.allocUnsafe(needed * 2);
      held.copy(grown, 0, 0, heldBytes);
      held = grown;
    }
    source.copy(held, heldBytes, from, to);
    heldBytes = needed;
  };

  const writeNull = (): void => {
    reserve(2);
    out[used++] = BACKSLASH;
    out[used++] = CAPITAL_N;
  };

  const writeMasked = (column: ColumnMask, source: Buffer, from: number, end: number): void => {
    let to = end;
    let escaped = false;
    for (let at = from; at < to; at++) if (source[at] === BACKSLASH) escaped = true;
    if (escaped && to - from === 2 && source[from] === BACKSLASH && source[from + 1] === CAPITAL_N) {
      copyRun(source, from, to);
      return;
    }
    let value: Uint8Array = source;
    let start = from;
    if (escaped) {
      if (plain.length < to - from) plain = new Uint8Array((to - from) * 2);
      to = unescapeField(source, from, to, plain);
      value = plain;
      start = 0;
    }
    if ('compose' in column) {
      const written = column.compose(value, start, to);
      if (written === null) {
        writeNull();
        return;
      }
      reserve(written.length * 2);
      out.set(written, used);
      used = writeEscaped(out, used, used + written.length);
      return;
    }
    const { mask, isPadded } = column;
    if (isPadded) while (to > start && value[to - 1] === BLANK) to -= 1;
    // Every byte written may have to be escaped by another one.
    const room = roomOf(to - start);
    reserve(room * 2);
    const written = mask(value, start, to, out, used);
    if (written < 0) {
      writeNull();
      return;
    }
    used = writeEscaped(out, used, written);
  };

  /** @param from - where a field begins @param copied - from where on nothing is copied yet */
  const process = (block: Buffer, from: number, copied: number): void => {
    let at = from;
    let run = copied;
    const { length } = block;
    while (at < length) {
      const masked = columns[column];
      if (masked) {
        copyRun(block, run, at);
        const end = endOfField(block, at);
        run = end;
        if (end === length) {
          hold(block, at, end);
          break;
        }
        writeMasked(masked, block, at, end);
        at = end + 1;
        column = block[end] === TAB ? column + 1 : 0;
      } else if (column > lastMasked) {
        const end = block.indexOf(NEWLINE, at);
        if (end < 0) break;
        at = end + 1;
        column = 0;
      } else {
        const end = endOfField(block, at);
        at = end + 1;
        if (end < length) column = block[end] === TAB ? column + 1 : 0;
      }
    }
    copyRun(block, run, length);
  };

  return {
    transform(block) {
      used = 0;
      const masked = columns[column];
      if (heldBytes > 0 && masked) {
        const end = endOfField(block, 0);
        hold(block, 0, end);
        if (end < block.length) {
          writeMasked(masked, held.subarray(0, heldBytes), 0, heldBytes);
          heldBytes = 0;
          if (held.length > KEPT_BYTES) held = Buffer.alloc(0);
          column = block[end] === TAB ? column + 1 : 0;
          process(block, end + 1, end);
        }
      } else {
        process(block, 0, 0);
      }
      return out.subarray(0, used);
    },
  };
}

/** The next end of a field or row; COPY escapes both within values. */
function endOfField(block: Buffer, from: number): number {
  let at = from;
  for (; at < block.length; at++) {
    const byte = block[at];
    if (byte === TAB || byte === NEWLINE) break;
  }
  return at;
}
