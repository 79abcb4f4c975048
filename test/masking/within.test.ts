import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maskingChangeSchema } from '../../shared/contract/schemas/masking.ts';
import { makeColumnMask, refusalOf } from '../../shared/masking/rules/registry.ts';
import { readElements } from '../../shared/masking/within/array-text.ts';
import { readPath, writePath } from '../../shared/masking/within/json-path.ts';
import { columnOf, KEY, masker, parseMask } from './support/mask-value.ts';

/** Masks values that hold others, as text. */
function composed(mask: object, type: string, element?: string): (value: string) => string {
  const facts = columnOf(type, element ? { element: columnOf(element) } : {});
  expect(refusalOf(parseMask(mask), facts)).toBeNull();
  const made = makeColumnMask(parseMask(mask), facts, KEY);
  if (!('compose' in made)) throw new Error('It is no mask of values within values');
  return (value) => {
    const source = Buffer.from(`<${value}>`);
    return Buffer.from(made.compose(source, 1, source.length - 1) ?? 'NULL').toString();
  };
}
const json = (paths: object): ((value: string) => string) => composed({ rule: 'json', paths }, 'jsonb');
const keep = masker({ rule: 'keep_format' }, 'text');
const email = masker({ rule: 'email' }, 'text');
const keepRule = { rule: 'keep_format' };

describe('documents', () => {
  test('are masked at their paths and stay byte for byte elsewhere', () => {
    const mask = json({ '$.contact.email': { rule: 'email' }, '$.people.*.name': keepRule, '$.n': keepRule });
    const document = (mail: string, names: string[], n: string) =>
      `{"z":1e400, "contact" : {"email":${mail} ,"email2":"a@b.c"},"a":12345678901234567890.10,"people":[{"name":"${names[0]}","x":"\\u0041"},{ "name" : "${names[1]}"},"name"], "n":${n},"people":{"k":{"name":null}} }`;
    expect(mask(document('"a@b.c"', ['Ann', 'B\\"b\\u0042'], '98765432109876543210'))).toBe(
      document(
        `"${email('a@b.c')}"`,
        [keep('Ann') ?? '', JSON.stringify(keep('B"bB')).slice(1, -1)],
        masker(keepRule, 'int8')('98765432109876543210') ?? '',
      ),
    );
    for (const other of ['{}', '[]', '"a@b.c"', '12', 'null', '{"contact":"a"}', ' [ {"email":"x"} , [] ]'])
      expect(mask(other)).toBe(other);
  });

  test('keep nothing of what is at a path, whatever it is', () => {
    const at = (rule: object, value: string) => json({ '$.p': rule })(`{"p":${value},"q":7}`).slice(5, -7);
    expect(at({ rule: 'email' }, '{"a":["x",{"x":"y"}],"b":1,"c":true,"d":null}')).toBe(
      `{"a":["${email('x')}",{"x":"${email('y')}"}],"b":"${email('1')}","c":null,"d":null}`,
    );
    expect(at({ rule: 'null' }, '{"a":[1,"}"]}')).toBe('null');
    expect(at({ rule: 'fixed', value: 'a "b"' }, '[[1],{"a":2}]')).toBe('"a \\"b\\""');
    expect(at({ rule: 'date_shift', days: 3 }, '["2020-01-31T10:00:00Z","Ann",5]')).toMatch(
      /^\["2020-0[12]-\d\dT10:00:00Z",null,null\]$/,
    );
    expect(at({ rule: 'number_noise' }, '["120.50",120.50,1e3,"Ann"]')).toMatch(
      /^\["1[0-3]\d\.\d\d",1[0-3]\d\.\d\d,[\d.]+,null\]$/,
    );
    expect(at(keepRule, '[-0,1.5,-12]')).toMatch(/^\["-\d","\d\.\d",-[1-9]\d\]$/);
    expect(at(keepRule, '"\\u0000\\n"')).toBe('"\\u0000\\u000a"');
    // The shorter of two paths that begin alike.
    expect(json({ '$.a.b': { rule: 'null' }, '$.a': keepRule })('{"a":{"b":"xy"}}')).toBe(
      `{"a":{"b":"${keep('xy')}"}}`,
    );
  });

  test('of any shape are masked as their values are one by one', () => {
    const key = fc.constantFrom('a', 'b', 'c"\\', 'd.e', 'é');
    const scalar = fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1 }), fc.boolean(), fc.constant(null));
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ depthSize: 'small' }, scalar, fc.array(tie('value')), fc.dictionary(key, tie('value'))),
    }));
    const step = fc.option(key);
    const mask = (at: unknown): unknown => {
      if (typeof at === 'string') return keep(at);
      if (typeof at === 'number') return Number(masker(keepRule, 'int8')(String(at)));
      if (Array.isArray(at)) return at.map(mask);
      return at && typeof at === 'object' ? Object.fromEntries(Object.entries(at).map(([k, v]) => [k, mask(v)])) : null;
    };
    const expected = (at: unknown, [first, ...rest]: (string | null)[]): unknown => {
      if (first === undefined) return mask(at);
      const below = (k: string | null, v: unknown) => (first === null || first === k ? expected(v, rest) : v);
      if (Array.isArray(at)) return at.map((v) => below(null, v));
      return at && typeof at === 'object'
        ? Object.fromEntries(Object.entries(at).map(([k, v]) => [k, below(k, v)]))
        : at;
    };
    fc.assert(
      fc.property(value, fc.array(step, { minLength: 1, maxLength: 3 }), fc.boolean(), (document, steps, wide) => {
        expect(readPath(writePath(steps))).toEqual(steps);
        const masked = json({ [writePath(steps)]: keepRule })(JSON.stringify(document, null, wide ? 2 : 0));
        expect(JSON.parse(masked)).toEqual(JSON.parse(JSON.stringify(expected(document, steps))));
      }),
    );
  });

  test('paths that are none are refused, and rules that have no place in one', () => {
    for (const path of [
      '',
      '$',
      'a',
      '$a',
      '$.',
      '$.a.',
      '$.a b',
      '$.a[0]',
      '$.."a"',
      '$."a',
      '$."\\x"',
      `$${'.a'.repeat(21)}`,
    ])
      expect(readPath(path), path).toBeNull();
    const parse = (mask: object) =>
      maskingChangeSchema.safeParse({ version: 0, rules: [{ table: 'a.b', column: 'c', mask }] }).success;
    expect(parse({ rule: 'json', paths: { '$.a': { rule: 'email' } } })).toBe(true);
    for (const paths of [{}, { a: keepRule }, { '$.a': { rule: 'shuffle' } }, { '$.a': { rule: 'json', paths: {} } }])
      expect(parse({ rule: 'json', paths })).toBe(false);
    expect(refusalOf(parseMask({ rule: 'email' }), columnOf('jsonb'))).toMatch(/not this type/);
  });
});

describe('arrays', () => {
  const quoted = (value: string): string => `"${value.replace(/["\\]/g, '\\$&')}"`;

  test('have their elements masked, each as a value of its own; bounds, dimensions and NULLs stay', () => {
    const mask = composed(keepRule, '_text', 'text');
    expect(mask('{}')).toBe('{}');
    expect(mask('[0:1][2:3]={{ab,NULL},{"n""ull",12}}'.replace('""', '\\"'))).toBe(
      `[0:1][2:3]={{${keep('ab')},NULL},{${quoted(keep('n"ull') ?? '')},${keep('12')}}}`,
    );
    expect(mask('{"NULL"}')).toMatch(/^\{"?[A-Z]{4}"?\}$/);
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1 }), (values) => {
        expect(readElements(mask(`{${values.map(quoted).join(',')}}`))).toEqual(values.map(keep));
      }),
    );
  });

  test('of other types are served by what serves their elements', () => {
    expect(composed({ rule: 'email' }, '_text', 'text')('{a@b.c}')).toBe(`{${email('a@b.c')}}`);
    expect(composed({ rule: 'date_shift' }, '_timestamp', 'timestamp')('{"2020-01-02 03:04:05"}')).toMatch(
      /^\{"20(19|20)-\d\d-\d\d 03:04:05"\}$/,
    );
    expect(composed({ rule: 'hash' }, '_bpchar', 'bpchar(9)')('{"ab       "}')).toBe(
      `{${masker({ rule: 'hash' }, 'bpchar(9)')('ab')}}`,
    );
    const documents = composed({ rule: 'json', paths: { '$.a': { rule: 'email' } } }, '_jsonb', 'jsonb');
    expect(readElements(documents('{"{\\"a\\": \\"x\\"}",NULL}'))).toEqual([`{"a": "${email('x')}"}`]);
    // What serves any type still is for the whole of it.
    const whole = makeColumnMask(parseMask({ rule: 'null' }), columnOf('_text', { element: columnOf('text') }), KEY);
    expect(whole).toHaveProperty('mask');
    expect(refusalOf(parseMask({ rule: 'email' }), columnOf('_int4', { element: columnOf('int4') }))).toMatch(/serves/);
  });
});
