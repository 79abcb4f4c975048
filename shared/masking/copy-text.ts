const BACKSLASH = 0x5c;
/** What stands for a byte after a backslash, and the other way round (PostgreSQL's documentation of COPY, "Text Format"). */
const LETTER_OF: readonly (readonly [byte: number, letter: string])[] = [
  [0x08, 'b'],
  [0x0c, 'f'],
  [0x0a, 'n'],
  [0x0d, 'r'],
  [0x09, 't'],
  [0x0b, 'v'],
  [BACKSLASH, '\\'],
];

/** By byte: the letter that stands for it; 0: it stands for itself. */
const escapes = new Uint8Array(256);
/** By letter: the byte that it stands for. Any other stands for itself. */
const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
for (const [byte, letter] of LETTER_OF) {
  escapes[byte] = letter.charCodeAt(0);
  bytes[letter.charCodeAt(0)] = byte;
}

/**
 * Writes a field without its escapes to the beginning of `plain`. The server writes no octal or hexadecimal ones.
 *
 * @returns where it ends
 */
export function unescapeField(source: Uint8Array, from: number, to: number, plain: Uint8Array): number {
  let end = 0;
  for (let at = from; at < to; at++) {
    const byte = source[at] as number;
    plain[end++] = byte === BACKSLASH && at + 1 < to ? (bytes[source[++at] as number] as number) : byte;
  }
  return end;
}

/**
 * Escapes what stands in `out` between two places, in place; behind it must be as much room again.
 *
 * @returns where it ends
 */
export function writeEscaped(out: Uint8Array, from: number, to: number): number {
  let escaped = 0;
  for (let at = from; at < to; at++) if (escapes[out[at] as number] !== 0) escaped += 1;
  if (escaped === 0) return to;
  let target = to + escaped;
  for (let at = to - 1; at >= from; at--) {
    const byte = out[at] as number;
    const letter = escapes[byte] as number;
    out[--target] = letter === 0 ? byte : letter;
    if (letter !== 0) out[--target] = BACKSLASH;
  }
  return to + escaped;
}

/**
 * Reads whole rows of COPY text in UTF-8.
 *
 * @returns the values of each row; null for NULL
 */
export function readRows(text: Buffer): (string | null)[][] {
  let plain = new Uint8Array(1024);
  const value = (from: number, to: number): string | null => {
    if (to - from === 2 && text[from] === BACKSLASH && text[from + 1] === 0x4e) return null;
    if (plain.length < to - from) plain = new Uint8Array((to - from) * 2);
    return Buffer.from(plain.buffer, 0, unescapeField(text, from, to, plain)).toString('utf8');
  };
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  for (let at = 0, from = 0; at < text.length; at++) {
    if (text[at] !== 0x09 && text[at] !== 0x0a) continue;
    row.push(value(from, at));
    from = at + 1;
    if (text[at] === 0x09) continue;
    rows.push(row);
    row = [];
  }
  return rows;
}
