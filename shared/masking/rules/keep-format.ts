import * as z from 'zod';
import type { ColumnFacts } from '../column.ts';
import { createDigits, createPermutation, type Digits, roomFor } from '../permutation.ts';
import type { Prf } from '../prf.ts';
import { defineRule, type FieldMask } from './define-rule.ts';

const ZERO = 0x30;
const SMALL = 0x61;
const CAPITAL = 0x41;
const CONTINUED = 0x80;

/** Where the digits stand, and what each is added to. */
interface Shape extends Digits {
  positions: Int32Array;
  bases: Uint8Array;
}

function createShape(): Shape {
  return { ...createDigits(), positions: new Int32Array(64), bases: new Uint8Array(64) };
}

function roomForShape(shape: Shape, count: number): void {
  roomFor(shape, count);
  if (shape.positions.length >= count) return;
  shape.positions = new Int32Array(count * 2);
  shape.bases = new Uint8Array(count * 2);
}

function add(shape: Shape, position: number, byte: number, base: number, radix: number): void {
  const { count } = shape;
  shape.positions[count] = position;
  shape.bases[count] = base;
  shape.values[count] = byte - base;
  shape.radixes[count] = radix;
  shape.count = count + 1;
}

/** Puts the digits back where they stood. */
function write({ count, positions, bases, values }: Shape, out: Uint8Array, at: number): void {
  for (let index = 0; index < count; index++) {
    out[at + (positions[index] as number)] = (bases[index] as number) + (values[index] as number);
  }
}

/**
 * Reads which places of UTF-8 text may change: digits among digits, small letters among small ones, capitals among capitals, and
 * of what is beyond ASCII the last byte, which leads to another character of the same 64. All else stays.
 */
function readText(shape: Shape, source: Uint8Array, from: number, to: number, letters: boolean): void {
  roomForShape(shape, to - from);
  for (let at = from; at < to; at++) {
    const byte = source[at] as number;
    const position = at - from;
    if (byte >= ZERO && byte < ZERO + 10) add(shape, position, byte, ZERO, 10);
    else if (!letters) continue;
    else if (byte >= SMALL && byte < SMALL + 26) add(shape, position, byte, SMALL, 26);
    else if (byte >= CAPITAL && byte < CAPITAL + 26) add(shape, position, byte, CAPITAL, 26);
    else if ((byte & 0xc0) === CONTINUED && (at + 1 === to || ((source[at + 1] as number) & 0xc0) !== CONTINUED)) {
      add(shape, position, byte, CONTINUED, 64);
    }
  }
}

function copy(source: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  for (let index = from; index < to; index++) out[at + index - from] = source[index] as number;
  return at + to - from;
}

/** Takes digits at the beginning or the end out of the game, so that they stay as they are. */
function leaveFirst(shape: Shape, first: number): void {
  shape.count -= first;
  shape.positions.copyWithin(0, first);
  shape.bases.copyWithin(0, first);
  shape.values.copyWithin(0, first);
  shape.radixes.copyWithin(0, first);
}

function keepText(prf: Prf, { first, last, letters }: { first: number; last: number; letters: boolean }): FieldMask {
  const shape = createShape();
  const permute = createPermutation(prf);
  return (source, from, to, out, at) => {
    readText(shape, source, from, to, letters);
    const end = copy(source, from, to, out, at);
    // Of a value so short that hardly anything would change, nothing stays.
    if (shape.count >= 2 * (first + last)) {
      shape.count -= last;
      if (first > 0) leaveFirst(shape, first);
    }
    permute(shape);
    write(shape, out, at);
    return end;
  };
}

/** Another number of the same sign and number of digits, within the type. */
function keepInteger(prf: Prf, { largest }: ColumnFacts): FieldMask {
  const limit = Buffer.from(largest ?? '');
  const shape = createShape();
  const permute = createPermutation(prf);
  return (source, from, to, out, at) => {
    const sign = source[from] === 0x2d ? 1 : 0;
    const digits = to - from - sign;
    roomForShape(shape, digits);
    for (let index = 0; index < digits; index++) {
      const byte = source[from + sign + index] as number;
      // The first digit of several is no zero, and neither is the one after a sign.
      const base = index === 0 && (digits > 1 || sign === 1) ? ZERO + 1 : ZERO;
      add(shape, sign + index, byte, base, base === ZERO ? 10 : 9);
    }
    const end = copy(source, from, to, out, at);
    // Walking on from what is too large to what is not is again a permutation (Black and Rogaway, 2002). The smallest negative
    // number is one beyond the limit and would have none to go to: it stays.
    if (digits === limit.length && exceeds(out, at + sign, limit)) return end;
    do {
      permute(shape);
      write(shape, out, at);
    } while (digits === limit.length && exceeds(out, at + sign, limit));
    return end;
  };
}

function exceeds(out: Uint8Array, at: number, limit: Uint8Array): boolean {
  for (let index = 0; index < limit.length; index++) {
    const difference = (out[at + index] as number) - (limit[index] as number);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

const keptSchema = z.int().min(0).max(20).default(0);

export const keepFormatRule = defineRule({
  name: 'keep_format',
  summary:
    'Other digits in place of digits, small letters in place of small ones, capitals of capitals; all other characters stay. An integer becomes one of as many digits. Different values stay different.',
  options: z.strictObject({
    keep_first: keptSchema.meta({ description: 'Letters and digits at the beginning that stay.' }),
    keep_last: keptSchema.meta({ description: 'Letters and digits at the end that stay.' }),
  }),
  serves: ['text', 'integer'],
  keepsDistinct: (_, { ignoresCase }) => !ignoresCase,
  refusal: ({ keep_first, keep_last }, { kind }) =>
    kind === 'integer' && keep_first + keep_last > 0 ? 'keep_first and keep_last are for text' : null,
  make: ({ keep_first: first, keep_last: last }, column, prfOf) =>
    column.kind === 'integer'
      ? keepInteger(prfOf('integer'), column)
      : keepText(prfOf('text'), { first, last, letters: true }),
});

export const phoneRule = defineRule({
  name: 'phone',
  summary:
    'Other digits in place of digits, and letters of letters, so that the number looks like one. Different values stay different.',
  options: z.strictObject({
    keep_first: z
      .int()
      .min(0)
      .max(6)
      .default(2)
      .meta({ description: 'Digits at the beginning that stay, as of a country.' }),
  }),
  serves: ['text'],
  keepsDistinct: (_, { ignoresCase }) => !ignoresCase,
  make: ({ keep_first: first }, _, prfOf) => keepText(prfOf('phone'), { first, last: 0, letters: true }),
});

/** The sum of Luhn's check (ISO/IEC 7812-1, annex B), modulo 10, of digits without or with the last one. */
function luhnSum({ values }: Digits, count: number, hasCheck: boolean): number {
  let sum = 0;
  for (let index = 0; index < count; index++) {
    const digit = values[index] as number;
    const isDoubled = (count - index) % 2 === (hasCheck ? 0 : 1);
    const twice = digit * 2;
    sum += isDoubled ? (twice > 9 ? twice - 9 : twice) : digit;
  }
  return sum % 10;
}

export const cardRule = defineRule({
  name: 'card',
  summary:
    'Another card number of the same form: valid by its check digit where the original is. Different values stay different.',
  options: z.strictObject({
    keep_first: z
      .int()
      .min(0)
      .max(6)
      .default(0)
      .meta({ description: 'Digits at the beginning that stay: 6 name the issuer.' }),
  }),
  serves: ['text'],
  keepsDistinct: () => true,
  make({ keep_first: first }, _, prfOf) {
    const shape = createShape();
    const permute = createPermutation(prfOf('card'));
    return (source, from, to, out, at) => {
      readText(shape, source, from, to, false);
      const end = copy(source, from, to, out, at);
      const { count } = shape;
      if (count < 2) {
        permute(shape);
        write(shape, out, at);
        return end;
      }
      // What the check says of it stays as well: so two that differ in the check digit alone still differ.
      const residue = luhnSum(shape, count, true);
      const kept = count - 1 >= 2 * first ? first : 0;
      const prefix = kept > 0 ? shape.values.slice(0, kept) : null;
      const check = shape.positions[count - 1] as number;
      shape.count = count - 1;
      if (kept > 0) leaveFirst(shape, kept);
      permute(shape);
      write(shape, out, at);
      if (prefix) {
        shape.values.copyWithin(kept, 0, shape.count);
        shape.values.set(prefix, 0);
      }
      const digit = (10 + residue - luhnSum(shape, count - 1, false)) % 10;
      out[at + check] = ZERO + digit;
      return end;
    };
  },
});
