import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { keepsDistinct, maskingRules, refusalOf } from '../../shared/masking/rules/registry.ts';
import { columnOf, masker, parseMask } from './support/mask-value.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 60 });
const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${length}}$`));
const integer = (bits: bigint) => fc.bigInt({ min: -(2n ** bits), max: 2n ** bits - 1n }).map(String);
const date = fc
  .date({ min: new Date('0200-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
  .map((day) => day.toISOString().slice(0, 10));

/** Masks with columns in which they promise to keep values distinct. */
const distinct: [mask: object, type: string, values: fc.Arbitrary<string>][] = [
  [{ rule: 'hash' }, 'text', text],
  [{ rule: 'hash', length: 16 }, 'varchar(16)', text],
  [{ rule: 'hash' }, 'uuid', fc.uuid()],
  [{ rule: 'hash' }, 'bytea', fc.uint8Array().map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`)],
  [{ rule: 'email' }, 'varchar(28)', text],
  [{ rule: 'phone' }, 'text', fc.oneof(digits(14), text)],
  [{ rule: 'card' }, 'text', fc.oneof(digits(19), fc.string())],
  [{ rule: 'card', keep_first: 6 }, 'text', digits(19)],
  [{ rule: 'keep_format' }, 'text', fc.oneof(text, digits(4))],
  [{ rule: 'keep_format', keep_first: 2, keep_last: 1 }, 'text', fc.oneof(text, digits(8))],
  [{ rule: 'keep_format' }, 'int2', integer(15n)],
  [{ rule: 'keep_format' }, 'int4', fc.oneof(integer(31n), integer(6n))],
  [{ rule: 'keep_format' }, 'int8', integer(63n)],
  [{ rule: 'date_shift', same_for_all: true }, 'date', date],
];

describe.each(distinct)('%j in %s', (mask, type, values) => {
  it('keeps different values different, and equal ones equal', () => {
    expect(keepsDistinct(parseMask(mask), columnOf(type))).toBe(true);
    const once = masker(mask, type);
    const again = masker(mask, type);
    fc.assert(
      fc.property(fc.uniqueArray(values, { minLength: 2, maxLength: 60 }), (all) => {
        const masked = all.map(once);
        expect(new Set(masked).size).toBe(all.length);
        expect(all.map(again)).toEqual(masked);
      }),
      { numRuns: 60 },
    );
  });
});

test('all integers of few digits are permuted among those of as many', () => {
  const mask = masker({ rule: 'keep_format' }, 'int4');
  const masked = Array.from({ length: 10_000 }, (_, number) => mask(String(number)) ?? '');
  expect(new Set(masked).size).toBe(10_000);
  expect(masked.every((each, number) => each.length === String(number).length && String(Number(each)) === each)).toBe(
    true,
  );
  expect(masked.filter((each, number) => each === String(number)).length).toBeLessThan(100);
  expect(mask('-2147483648')).toBe('-2147483648');
});

const LIMITS: Record<string, bigint> = { int2: 2n ** 15n, int4: 2n ** 31n, int8: 2n ** 63n };
test.each(Object.entries(LIMITS))('what an %s becomes is one', (type, limit) => {
  for (const mask of [{ rule: 'keep_format' }, { rule: 'number_noise', ratio: 1 }]) {
    const of = masker(mask, type);
    fc.assert(
      fc.property(
        fc.oneof(fc.bigInt({ min: -limit, max: limit - 1n }), fc.constantFrom(limit - 1n, -limit)),
        (value) => {
          const masked = of(String(value)) ?? '';
          expect(masked).toMatch(/^(0|-?[1-9][0-9]*)$/);
          expect(BigInt(masked) >= -limit && BigInt(masked) < limit).toBe(true);
        },
      ),
    );
  }
});

test('a format is kept: digits, letters, what is beyond ASCII, and all else', () => {
  const mask = masker({ rule: 'keep_format' }, 'text');
  const kind = (character: string): string =>
    /[0-9]/.test(character) ? '0' : /[a-z]/.test(character) ? 'a' : /[A-Z]/.test(character) ? 'A' : character;
  fc.assert(
    fc.property(text, (value) => {
      const masked = mask(value) ?? '';
      expect(masked.isWellFormed() && !masked.includes('\uFFFD')).toBe(
        value.isWellFormed() && !value.includes('\uFFFD'),
      );
      const [before, after] = [[...value], [...masked]];
      expect(after).toHaveLength(before.length);
      before.forEach((character, index) => {
        const other = after[index] ?? '';
        if ((character.codePointAt(0) as number) < 128) expect(kind(other)).toBe(kind(character));
        else expect((other.codePointAt(0) as number) >> 6).toBe((character.codePointAt(0) as number) >> 6);
      });
    }),
  );
  expect(mask('AB-1234 (Zürich)')).not.toBe('AB-1234 (Zürich)');
  const kept = masker({ rule: 'keep_format', keep_first: 2, keep_last: 2 }, 'text')('DE-89 3704 0044');
  expect(kept).toMatch(/^DE-\d\d \d{4} \d\d44$/);
  expect(masker({ rule: 'phone' }, 'text')('+44 20 7946 0958')).toMatch(/^\+44 \d\d \d{4} \d{4}$/);
});

function luhn(number: string): boolean {
  const all = [...number].reverse().map(Number);
  return all.reduce((sum, digit, at) => sum + (at % 2 ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit), 0) % 10 === 0;
}

test('a card stays valid, and an invalid one invalid', () => {
  const whole = masker({ rule: 'card' }, 'varchar(19)');
  const issuer = masker({ rule: 'card', keep_first: 6 }, 'text');
  expect(luhn('4111111111111111')).toBe(true);
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9]{13,19}$/), (number) => {
      for (const mask of [whole, issuer]) expect(luhn(mask(number) ?? '')).toBe(luhn(number));
      expect(issuer(number)?.slice(0, 6)).toBe(number.slice(0, 6));
    }),
  );
  expect(whole('4111 1111-1111 1111')).toMatch(/^\d{4} \d{4}-\d{4} \d{4}$/);
});

test('lengths are kept', () => {
  for (const rule of maskingRules) {
    if (!rule.serves.includes('text') || ['null', 'fixed', 'shuffle'].includes(rule.name)) continue;
    for (const length of [20, 9, 3, 1]) {
      const column = columnOf(`varchar(${length})`);
      if (refusalOf(parseMask({ rule: rule.name }), column) !== null) continue;
      const mask = masker({ rule: rule.name }, `varchar(${length})`);
      fc.assert(
        fc.property(fc.string({ unit: 'grapheme', maxLength: length }), (value) => {
          const fitting = [...value].slice(0, length).join('');
          expect([...(mask(fitting) ?? '')].length).toBeLessThanOrEqual(length);
        }),
        { numRuns: 40 },
      );
    }
  }
  expect(refusalOf(parseMask({ rule: 'email' }), columnOf('varchar(10)'))).toMatch(/needs room for 18 characters/);
  expect(refusalOf(parseMask({ rule: 'hash' }), columnOf('bpchar(7)'))).toMatch(/needs room for 8/);
  expect(refusalOf(parseMask({ rule: 'fixed', value: 'abc' }), columnOf('varchar(2)'))).toMatch(/has 3 characters/);
});

test('a date moves within its limit, never to itself, and keeps its time', () => {
  const mask = masker({ rule: 'date_shift', days: 30 }, 'timestamptz');
  fc.assert(
    fc.property(date, (day) => {
      const masked = mask(`${day} 12:34:56.789+05:30`) ?? '';
      expect(masked).toMatch(/^\d{4}-\d\d-\d\d 12:34:56\.789\+05:30$/);
      const moved = Math.abs(Date.parse(masked.slice(0, 10)) - Date.parse(day)) / 86_400_000;
      expect(moved).toBeGreaterThanOrEqual(1);
      expect(moved).toBeLessThanOrEqual(30);
    }),
  );
  for (const far of ['4713-01-01 BC', '294276-12-31', '5874897-12-31', '0001-01-01', '0001-12-31 BC']) {
    expect(mask(far)).toMatch(/^\d{4,7}-\d\d-\d\d( BC)?$/);
    expect(mask(far)).not.toBe(far);
  }
  expect(mask('infinity')).toBe('infinity');
});

test('noise stays close, and in the number of digits that a column holds', () => {
  const mask = masker({ rule: 'number_noise', ratio: 0.1 }, 'numeric(8,2)');
  fc.assert(
    fc.property(fc.integer({ min: -99_999_999, max: 99_999_999 }), (cents) => {
      const value = (cents / 100).toFixed(2);
      const masked = mask(value) ?? '';
      expect(masked).toMatch(/^-?\d{1,6}\.\d\d$/);
      expect(Math.abs(Number(masked) - Number(value))).toBeLessThanOrEqual(Math.abs(Number(value)) * 0.1001 + 0.01);
    }),
  );
  expect(mask('NaN')).toBe('NaN');
  expect(masker({ rule: 'number_noise' }, 'numeric')(`${'9'.repeat(40)}.5`)).toMatch(/^\d{40,41}\.\d$/);
  expect(masker({ rule: 'number_noise' }, 'float8')('-1.5e-300')).toMatch(/^-1\.\d+e-300$/);
});

test('names, addresses and partial values look like what they stand for', () => {
  expect(masker({ rule: 'name' }, 'text')('Ada')).toMatch(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
  expect(masker({ rule: 'address' }, 'text')('1 Main Street')).toMatch(
    /^\d{1,2} [A-Z][a-z]+ [A-Z][a-z]+, [A-Z][a-z]+$/,
  );
  expect(masker({ rule: 'name' }, 'text')('')).toBe('');
  expect(masker({ rule: 'partial', first: 1, last: 2 }, 'text')('Zürich')).toBe('Z***ch');
  expect(masker({ rule: 'partial', first: 1, last: 2 }, 'text')('éaü')).toBe('***');
  expect(masker({ rule: 'hash' }, 'uuid')('x')).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  expect(masker({ rule: 'email', domain: 'shop.test' }, 'text')('a@b.c')).toMatch(/^[a-z2-7]{16}@shop\.test$/);
  expect(masker({ rule: 'null' }, 'text')('x')).toBeNull();
});

test('another key gives other values', () => {
  for (const mask of [{ rule: 'hash' }, { rule: 'name' }, { rule: 'keep_format' }, { rule: 'email' }]) {
    const value = 'Some Value 12345';
    expect(masker(mask, 'text', Buffer.alloc(32, 8))(value)).not.toBe(masker(mask, 'text')(value));
  }
});
