import * as z from 'zod';
import type { ColumnFacts } from '../column.ts';
import type { Prf } from '../prf.ts';
import { familyEnds, familyStarts, givenEnds, givenStarts, streetKinds, townEnds } from '../words.ts';
import { defineRule, type FieldMask, tooShort, writeText } from './define-rule.ts';
import { DISTINCT_SIGNS, writeSigns } from './hash.ts';

const SPACE = 0x20;
const COMMA = ','.charCodeAt(0);
const AT = '@'.charCodeAt(0);
const ZERO = '0'.charCodeAt(0);

/** Of five bits of an answer's words, one of 32 entries. */
const pick = (list: readonly Buffer[], prf: Prf, word: number, shift: number): Uint8Array =>
  list[((prf.words[word] as number) >>> shift) & 31] as Uint8Array;

const given = (prf: Prf, out: Uint8Array, at: number): number =>
  writeText(pick(givenEnds, prf, 0, 5), out, writeText(pick(givenStarts, prf, 0, 0), out, at));
const family = (prf: Prf, out: Uint8Array, at: number): number =>
  writeText(pick(familyEnds, prf, 1, 5), out, writeText(pick(familyStarts, prf, 1, 0), out, at));
const town = (prf: Prf, out: Uint8Array, at: number): number =>
  writeText(pick(townEnds, prf, 2, 5), out, writeText(pick(familyStarts, prf, 2, 0), out, at));
function street(prf: Prf, out: Uint8Array, at: number): number {
  const number = 1 + (((prf.words[3] as number) >>> 10) % 99);
  let to = at;
  if (number >= 10) out[to++] = ZERO + Math.floor(number / 10);
  out[to++] = ZERO + (number % 10);
  out[to++] = SPACE;
  to = writeText(pick(familyStarts, prf, 3, 0), out, to);
  out[to++] = SPACE;
  return writeText(pick(streetKinds, prf, 3, 5), out, to);
}

type Writer = (prf: Prf, out: Uint8Array, at: number) => number;

/** A mask that writes what is made of the value, and cuts it where the column ends. Empty text stays empty. */
function written(write: Writer, prf: Prf, { maxCharacters }: ColumnFacts): FieldMask {
  const most = maxCharacters ?? Number.POSITIVE_INFINITY;
  return (source, from, to, out, at) => {
    if (from === to) return at;
    prf.of(source, from, to);
    let end = Math.min(write(prf, out, at), at + most);
    while (out[end - 1] === SPACE || out[end - 1] === COMMA) end -= 1;
    return end;
  };
}

const LEAST_NAME = 2;

const nameParts: Readonly<Record<'full' | 'first' | 'last', Writer>> = {
  first: given,
  last: family,
  full(prf, out, at) {
    const to = given(prf, out, at);
    out[to] = SPACE;
    return family(prf, out, to + 1);
  },
};

export const nameRule = defineRule({
  name: 'name',
  summary: 'An invented name of a person; empty text stays empty.',
  options: z.strictObject({ part: z.enum(['full', 'first', 'last']).default('full') }),
  serves: ['text'],
  keepsDistinct: () => false,
  refusal: (_, column) => tooShort(column, LEAST_NAME),
  make: ({ part }, column, prfOf) => written(nameParts[part], prfOf('name'), column),
});

const addressParts: Readonly<Record<'full' | 'street' | 'city', Writer>> = {
  street,
  city: town,
  full(prf, out, at) {
    const to = street(prf, out, at);
    out[to] = COMMA;
    out[to + 1] = SPACE;
    return town(prf, out, to + 2);
  },
};

export const addressRule = defineRule({
  name: 'address',
  summary:
    'An invented street with a number, a town, or both; empty text stays empty. For postal codes use `keep_format`.',
  options: z.strictObject({ part: z.enum(['full', 'street', 'city']).default('full') }),
  serves: ['text'],
  keepsDistinct: () => false,
  refusal: (_, column) => tooShort(column, LEAST_NAME),
  make: ({ part }, column, prfOf) => written(addressParts[part], prfOf('address'), column),
});

const LEAST_SIGNS = 6;

/** Characters before the @ that fit into the column. */
const localPart = ({ domain }: { domain: string }, { maxCharacters }: ColumnFacts): number =>
  Math.min(DISTINCT_SIGNS, (maxCharacters ?? Number.POSITIVE_INFINITY) - domain.length - 1);

export const emailRule = defineRule({
  name: 'email',
  summary: 'An address that no mail reaches, with a pseudonym made of the value before the @.',
  options: z.strictObject({
    domain: z
      .string()
      .max(60)
      .regex(/^(?=.{3,60}$)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/, 'must be a domain name in lower case')
      .default('example.com')
      .meta({ description: 'By default one that RFC 2606 keeps for examples.' }),
  }),
  serves: ['text'],
  keepsDistinct: (options, column) => localPart(options, column) >= DISTINCT_SIGNS,
  refusal: ({ domain }, column) => tooShort(column, LEAST_SIGNS + 1 + domain.length),
  make(options, column, prfOf) {
    const prf = prfOf('email');
    const domain = Buffer.from(options.domain);
    const signs = localPart(options, column);
    return (source, from, to, out, at) => {
      prf.of(source, from, to);
      const end = writeSigns(prf, signs, out, at);
      out[end] = AT;
      return writeText(domain, out, end + 1);
    };
  },
});
