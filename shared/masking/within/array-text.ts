import { type ByteWriter, createByteWriter } from './byte-writer.ts';
import type { ValueMask } from './value-mask.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const EQUALS = 0x3d;
const BLANK = 0x20;

/** `NULL` in any case stands for no value, unless it is quoted. */
function isNull(bytes: Uint8Array, from: number, to: number): boolean {
  return to - from === 4 && Buffer.from(bytes.subarray(from, to)).toString('latin1').toUpperCase() === 'NULL';
}

/** What array_out quotes (PostgreSQL's documentation, "Array Input and Output Syntax"). */
function needsQuotes(bytes: Uint8Array): boolean {
  if (bytes.length === 0 || isNull(bytes, 0, bytes.length)) return true;
  return bytes.some(
    (byte) =>
      byte === QUOTE ||
      byte === BACKSLASH ||
      byte === OPEN ||
      byte === CLOSE ||
      byte === COMMA ||
      byte === BLANK ||
      (byte >= 0x09 && byte <= 0x0d),
  );
}

/**
 * Walks through an array as the server writes it.
 *
 * @param plain - memory for values with escapes
 * @param onElement - gets where each element stands with its quotes, and its value without; not called for NULL
 */
function walk(
  source: Uint8Array,
  from: number,
  to: number,
  plain: ByteWriter,
  onElement: (start: number, end: number, value: Uint8Array) => void,
): void {
  let at = from;
  // Lower bounds that are not 1 stand before the braces: [0:2]={...}.
  if (source[at] !== OPEN) while (at < to && source[at] !== EQUALS) at += 1;
  for (; at < to; at++) {
    const byte = source[at];
    if (byte === OPEN || byte === CLOSE || byte === COMMA || byte === EQUALS) continue;
    const start = at;
    if (byte === QUOTE) {
      plain.reset();
      for (at += 1; source[at] !== QUOTE; at++) {
        if (at >= to) throw new Error('An array does not end');
        if (source[at] === BACKSLASH) at += 1;
        plain.byte(source[at] as number);
      }
      onElement(start, at + 1, plain.written());
      continue;
    }
    while (at < to && source[at] !== COMMA && source[at] !== CLOSE) at += 1;
    if (!isNull(source, start, at)) onElement(start, at, source.subarray(start, at));
    at -= 1;
  }
}

/**
 * Masks the elements of an array, each for itself. Dimensions, lower bounds and NULLs stay.
 *
 * @param isPadded - blanks at the end of an element are no part of it: `char(n)[]`
 */
export function createArrayMask(mask: ValueMask, isPadded: boolean): ValueMask {
  const out = createByteWriter();
  const plain = createByteWriter();
  const nothing = Buffer.from('NULL');
  return (source, from, to) => {
    out.reset();
    let copied = from;
    walk(source, from, to, plain, (start, end, value) => {
      out.copy(source, copied, start);
      copied = end;
      let length = value.length;
      if (isPadded) while (length > 0 && value[length - 1] === BLANK) length -= 1;
      const masked = mask(value, 0, length);
      if (masked === null) {
        out.copy(nothing, 0, nothing.length);
      } else if (needsQuotes(masked)) {
        out.byte(QUOTE);
        for (const byte of masked) {
          if (byte === QUOTE || byte === BACKSLASH) out.byte(BACKSLASH);
          out.byte(byte);
        }
        out.byte(QUOTE);
      } else {
        out.copy(masked, 0, masked.length);
      }
    });
    out.copy(source, copied, to);
    return out.written();
  };
}

/** The elements of an array as the server writes it, whatever its dimensions, without NULLs. */
export function readElements(text: string): string[] {
  const source = Buffer.from(text);
  const found: string[] = [];
  walk(source, 0, source.length, createByteWriter(), (_start, _end, value) =>
    found.push(Buffer.from(value).toString()),
  );
  return found;
}
