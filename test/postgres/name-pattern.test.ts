import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseNamePattern } from '../../shared/postgres/name-pattern.ts';

function matches(pattern: string, schema: string, relation?: string): boolean {
  const { matchesSchema, matchesRelation } = parseNamePattern(pattern);
  expect(matchesRelation === null).toBe(relation === undefined);
  return matchesSchema(schema) && (relation === undefined || matchesRelation?.(relation) === true);
}

describe('a pattern matches', () => {
  test.each([
    ['sales', 'sales'],
    ['SALES', 'sales'],
    ['sa*', 'sales'],
    ['*', ''],
    ['"Sa""les"', 'Sa"les'],
    ['S"A"les', 'sAles'],
    ['"a.b"', 'a.b'],
    ['"[x]*"', '[x]*'],
    ['my-schema$1', 'my-schema$1'],
    ['ÄÖ', 'ÄÖ'],
    ['?', '😀'],
  ])('%s: the schema %s', (pattern, schema) => {
    expect(matches(pattern, schema)).toBe(true);
  });

  test.each([
    ['public.*', 'public', 'anything at all'],
    ['sales.order_?', 'sales', 'order_1'],
    ['*.*_2024_*', 'x', 'log_2024_2024_01'],
    ['"Odd.Name"."Ta ble"', 'Odd.Name', 'Ta ble'],
    ['Public.Orders', 'public', 'orders'],
  ])('%s: the relation %s.%s', (pattern, schema, relation) => {
    expect(matches(pattern, schema, relation)).toBe(true);
  });
});

describe('a pattern does not match', () => {
  test.each([
    ['sales', 'sale'],
    ['sales', 'saless'],
    ['"SALES"', 'sales'],
    ['"*"', 'sales'],
    ['a?', 'a'],
    ['a?', 'abc'],
    ['ä', 'Ä'],
  ])('%s: the schema %s', (pattern, schema) => {
    expect(matches(pattern, schema)).toBe(false);
  });

  test.each([
    ['public.order_?', 'public', 'order_10'],
    ['public.order', 'sales', 'order'],
    ['*.a*b', 'x', 'ac'],
  ])('%s: the relation %s.%s', (pattern, schema, relation) => {
    expect(matches(pattern, schema, relation)).toBe(false);
  });
});

test.each([
  ['', 'empty name'],
  ['.a', 'empty name'],
  ['a.', 'empty name'],
  ['""', 'empty name'],
  ['a.b.c', 'more than one dot'],
  ['"a', 'without its partner'],
  ['order_[0-9]', 'regular expressions'],
  ['a|b', 'regular expressions'],
  ['a\\b', 'regular expressions'],
  [' a', 'space'],
  ['a ', 'space'],
  ['a\0', 'NUL'],
  ['\ud800', 'Unicode'],
])('%j is refused, saying why', (pattern, why) => {
  expect(() => parseNamePattern(pattern)).toThrow(why);
});

test('a name in double quotes matches itself and nothing else', () => {
  const names = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((name) => !name.includes('\0'));
  fc.assert(
    fc.property(names, names, (name, other) => {
      const { matchesSchema } = parseNamePattern(`"${name.replaceAll('"', '""')}"`);
      expect(matchesSchema(name)).toBe(true);
      expect(matchesSchema(other)).toBe(other === name);
    }),
  );
});

test('wildcards match as a regular expression does, and take no long time', () => {
  const part = fc.constantFrom('a', 'b', '*', '?');
  const pattern = fc.array(part, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(pattern, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 }), (text, name) => {
      const regular = new RegExp(`^${text.replace(/\*+/g, '.*').replaceAll('?', '.')}$`);
      expect(matches(text, name)).toBe(regular.test(name));
    }),
    { numRuns: 2000 },
  );
  expect(matches(`${'*a'.repeat(31)}b`, 'a'.repeat(63))).toBe(false);
});
