import * as z from 'zod';
import type { ColumnFacts } from '../column.ts';
import type { Prf } from '../prf.ts';
import { defineRule, tooShort, writeText } from './define-rule.ts';

const ALPHABET = Buffer.from('abcdefghijklmnopqrstuvwxyz234567');
const HEX = Buffer.from('0123456789abcdef');
const LINE = '-'.charCodeAt(0);

/** Characters of base 32 that hold all 128 bits. */
export const MOST_SIGNS = 26;
/** 80 bits: among a billion values, two are the same once in two million databases. */
export const DISTINCT_SIGNS = 16;
const LEAST_SIGNS = 8;

/** Writes the first bits of an answer in base 32. @returns where it ends */
export function writeSigns({ words }: Prf, count: number, out: Uint8Array, at: number): number {
  for (let sign = 0; sign < count; sign++) {
    const bit = sign * 5;
    const shift = bit & 31;
    const low = (words[bit >> 5] as number) >>> shift;
    const high = shift > 27 ? (words[(bit >> 5) + 1] ?? 0) << (32 - shift) : 0;
    out[at + sign] = ALPHABET[(low | high) & 31] as number;
  }
  return at + count;
}

function writeHex({ words }: Prf, out: Uint8Array, at: number, lines: boolean): number {
  let to = at;
  for (let digit = 0; digit < 32; digit++) {
    let value = ((words[digit >> 3] as number) >>> ((digit & 7) * 4)) & 15;
    if (lines) {
      if (digit === 8 || digit === 12 || digit === 16 || digit === 20) out[to++] = LINE;
      // A random UUID (RFC 9562, version 4): the version and the variant are not chance.
      if (digit === 12) value = 4;
      if (digit === 16) value = 8 | (value & 3);
    }
    out[to++] = HEX[value] as number;
  }
  return to;
}

const signsIn = ({ length }: { length: number }, { maxCharacters }: ColumnFacts): number =>
  Math.min(length, maxCharacters ?? MOST_SIGNS);

export const hashRule = defineRule({
  name: 'hash',
  summary: 'A pseudonym made of the value: letters and digits, or a UUID or bytes where the column holds these.',
  options: z.strictObject({
    length: z
      .int()
      .min(LEAST_SIGNS)
      .max(MOST_SIGNS)
      .default(MOST_SIGNS)
      .meta({ description: `Characters of it; from ${DISTINCT_SIGNS} on, different values stay different.` }),
  }),
  serves: ['text', 'uuid', 'bytes'],
  keepsDistinct: (options, column) => column.kind !== 'text' || signsIn(options, column) >= DISTINCT_SIGNS,
  refusal: (_, column) => (column.kind === 'text' ? tooShort(column, LEAST_SIGNS) : null),
  make(options, column, prfOf) {
    const prf = prfOf(column.kind);
    if (column.kind === 'text') {
      const signs = signsIn(options, column);
      return (source, from, to, out, at) => {
        prf.of(source, from, to);
        return writeSigns(prf, signs, out, at);
      };
    }
    const prefix = Buffer.from(column.kind === 'bytes' ? '\\x' : '');
    return (source, from, to, out, at) => {
      prf.of(source, from, to);
      return writeHex(prf, out, writeText(prefix, out, at), column.kind === 'uuid');
    };
  },
});
