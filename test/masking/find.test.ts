import { expect, test } from 'vitest';
import { isIban, isNationalId, passesLuhn } from '../../shared/masking/find/check-digits.ts';
import { judge } from '../../shared/masking/find/find-personal.ts';

test('check digits tell numbers that are some from those that are none', () => {
  for (const card of ['4111111111111111', '5555555555554444', '378282246310005']) expect(passesLuhn(card)).toBe(true);
  expect(passesLuhn('4111111111111112')).toBe(false);
  for (const iban of ['GB82 WEST 1234 5698 7654 32', 'DE89370400440532013000', 'AT611904300234573201']) {
    expect(isIban(iban)).toBe(true);
    expect(isIban(iban.replace(/\d$/, (digit) => String((Number(digit) + 1) % 10)))).toBe(false);
  }
  const ids = ['078-05-1120', 'AB123456C', '12345678Z', 'X1234567L', '1 85 05 78 006 084 91', '529.982.247-25'];
  for (const id of ids) expect(isNationalId(id), id).toBe(true);
  for (const id of [
    '000-05-1120',
    '12345678A',
    'X1234567A',
    '185057800608492',
    '529.982.247-26',
    '11111111111',
    '2020-01-01',
  ]) {
    expect(isNationalId(id), id).toBe(false);
  }
});

const column = (name: string, base = 'text', modifier = -1) => ({
  table: '1',
  schema: 's',
  name: 't',
  column: name,
  type: base,
  own_type: base,
  labels: [],
  domain_checks: [],
  base_name: base,
  base_schema: 'pg_catalog',
  modifier,
  element: null,
  is_nullable: false,
  ignores_case: false,
  is_generated: false,
  is_partition_key: false,
  generates: [],
  default_has_text: false,
});
const many = (make: (index: number) => string) => Array.from({ length: 50 }, (_, index) => make(index));

test('values speak louder than names, and both together loudest', () => {
  const mails = many((index) => `a${index}@b.example`);
  const byValues = judge(column('x'), mails);
  const byName = judge(column('email'), []);
  const byBoth = judge(column('email'), mails);
  expect(byValues).toMatchObject({ kind: 'email', masks: [{ rule: 'email' }, { rule: 'hash' }], sampled: 50 });
  expect(byName).toMatchObject({ kind: 'email', sampled: 0 });
  expect(byValues?.confidence).toBeGreaterThan(byName?.confidence ?? 1);
  expect(byBoth?.confidence).toBeGreaterThan(byValues?.confidence ?? 1);
  // Values of another kind speak against a name.
  expect(
    judge(
      column('email'),
      many(() => 'yes'),
    )?.confidence ?? 0,
  ).toBeLessThan(byName?.confidence ?? 0);
});

test('a rule is proposed that fits the column, or none', () => {
  expect(judge(column('email', 'varchar', 4 + 16), [])?.masks[0]).toMatchObject({ rule: 'hash' });
  expect(judge(column('email', 'varchar', 4 + 5), [])?.masks).toEqual([]);
  expect(judge(column('born', 'date'), ['1990-01-02'])).toMatchObject({
    kind: 'birth_date',
    masks: [{ rule: 'date_shift' }, { rule: 'fixed' }],
  });
  expect(
    judge(
      column('x', 'inet'),
      many((index) => `10.0.0.${index}`),
    )?.masks[0],
  ).toMatchObject({ rule: 'fixed' });
});

test('what is not personal is left alone', () => {
  expect(
    judge(
      column('status'),
      many((index) => (index % 2 ? 'open' : 'shipped')),
    ),
  ).toBeNull();
  expect(
    judge(
      column('created_at', 'timestamptz'),
      many((index) => `2024-01-${10 + (index % 20)} 10:00:00+00`),
    ),
  ).toBeNull();
  expect(
    judge(
      column('sku'),
      many((index) => `AB-${1000 + index}`),
    ),
  ).toBeNull();
  expect(judge(column('quantity'), many(String))).toBeNull();
});

test('documents and arrays are looked into, and one rule is proposed for all that a document holds', () => {
  const documents = many((index) =>
    JSON.stringify({
      a: { 'm.x': `a${index}@b.example` },
      people: [{ tel: '+43 1 58801 200', n: index }],
      state: 'open',
    }),
  );
  expect(judge({ ...column('data', 'jsonb') }, documents)).toMatchObject({
    kind: 'email',
    sampled: 50,
    masks: [
      {
        rule: 'json',
        paths: { '$.a."m.x"': { rule: 'email' }, '$.people.*.tel': { rule: 'phone', keep_first: 2 } },
      },
      { rule: 'fixed', value: '{}' },
    ],
  });
  expect(
    judge(
      column('data', 'jsonb'),
      many(() => '{"state":"open","cut'),
    ),
  ).toBeNull();
  const list = { ...column('list', '_varchar'), element: { name: 'varchar', schema: 'pg_catalog', modifier: -1 } };
  expect(
    judge(
      list,
      many((index) => `{a${index}@b.example,NULL}`),
    ),
  ).toMatchObject({ kind: 'email', masks: [{ rule: 'email' }, { rule: 'hash' }] });
  expect(
    judge(
      list,
      many(() => '{open,"not open"}'),
    ),
  ).toBeNull();
});
