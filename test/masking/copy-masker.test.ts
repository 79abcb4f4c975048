import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTableMasker, type PlannedMask } from '../../shared/masking/table-masker.ts';
import { columnOf, KEY, masker, parseMask } from './support/mask-value.ts';

const LETTERS: Record<string, string> = {
  '\b': 'b',
  '\f': 'f',
  '\n': 'n',
  '\r': 'r',
  '\t': 't',
  '\v': 'v',
  '\\': '\\',
};
const escaped = (value: string | null): string =>
  value === null ? '\\N' : value.replace(/[\b\f\n\r\t\v\\]/g, (byte) => `\\${LETTERS[byte]}`);
const copyText = (rows: (string | null)[][]): Buffer =>
  Buffer.from(rows.map((row) => `${row.map(escaped).join('\t')}\n`).join(''));

const planned = (column: string, mask: object, type = 'text'): PlannedMask => ({
  column,
  mask: parseMask(mask),
  facts: columnOf(type),
});

/** Masks text that comes in blocks of the given sizes, by turns. */
function stream(columns: string[], masks: PlannedMask[], text: Buffer, sizes: number[]): string {
  const through = createTableMasker(columns, masks, KEY);
  const parts: Buffer[] = [];
  for (let at = 0, turn = 0; at < text.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    // The memory of a block is used again, as copyOut does.
    const block = Buffer.from(text.subarray(at, at + size));
    parts.push(Buffer.from(through?.transform(block) ?? block));
    block.fill(0x21);
    at += size;
  }
  return Buffer.concat(parts).toString();
}

const field = fc.option(
  fc.string({ unit: fc.constantFrom('a', 'B', '7', '\t', '\n', '\\', '\b', 'N', '.', 'ü', '漢', ' ') }),
);

test('the values of the columns, and nothing else, are replaced, wherever blocks are cut', () => {
  const masks = [
    planned('b', { rule: 'keep_format' }),
    planned('d', { rule: 'hash' }),
    planned('absent', { rule: 'null' }),
  ];
  const keep = masker({ rule: 'keep_format' }, 'text');
  const hash = masker({ rule: 'hash' }, 'text');
  const rows = fc.array(fc.tuple(field, field, field, field, field), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(rows, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (all, sizes) => {
      const expected = all.map(([a, b, c, d, e]) => [
        a,
        b === null ? null : keep(b),
        c,
        d === null ? null : hash(d),
        e,
      ]);
      expect(stream(['a', 'b', 'c', 'd', 'e'], masks, copyText(all), sizes)).toBe(copyText(expected).toString());
    }),
    { numRuns: 300 },
  );
});

test('a column that is the only one, and values far larger than a block', () => {
  const value = 'x\t\\'.repeat(400_000);
  const hash = masker({ rule: 'hash' }, 'text')(value);
  expect(stream(['a'], [planned('a', { rule: 'hash' })], copyText([[value], [null]]), [262_144])).toBe(
    `${hash}\n\\N\n`,
  );
  const kept = stream(['a'], [planned('a', { rule: 'keep_format' })], copyText([[value]]), [262_144]);
  expect(kept).toHaveLength(copyText([[value]]).length);
});

test('blanks at the end of char(n) are no part of a value', () => {
  const masks = [planned('a', { rule: 'hash' }, 'bpchar(20)')];
  expect(stream(['a'], masks, Buffer.from('ab   \n'), [99])).toBe(stream(['a'], masks, Buffer.from('ab\n'), [99]));
});

test('bytes and fixed values are escaped as COPY wants them', () => {
  const text = copyText([['\\x00ff', 'x']]);
  const masks = [planned('a', { rule: 'hash' }, 'bytea'), planned('b', { rule: 'fixed', value: 'a\t\\b' })];
  expect(stream(['a', 'b'], masks, text, [99])).toMatch(/^\\\\x[0-9a-f]{32}\ta\\t\\\\b\n$/);
});

test('a shuffle gives each column the same values in another order, and leaves the rows beside it', () => {
  const rows = Array.from({ length: 500 }, (_, row) => [String(row), `b${row}`, row % 7 ? `c\t${row}` : null]);
  const masks = [planned('b', { rule: 'shuffle' }), planned('c', { rule: 'shuffle' })];
  const text = copyText(rows);
  const read = (all: string) =>
    all
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
  const masked = read(stream(['a', 'b', 'c'], masks, text, [700, 1300]));
  const before = read(text.toString());
  for (const column of [1, 2]) {
    const values = (all: string[][]) => all.map((row) => row[column]).sort();
    expect(values(masked)).toEqual(values(before));
    expect(masked.filter((row, index) => row[column] === before[index]?.[column]).length).toBeLessThan(150);
  }
  expect(masked.map(([a]) => a)).toEqual(before.map(([a]) => a));
  expect(masked.filter((row) => row[1]?.slice(1) === row[2]?.slice(3)).length).toBeLessThan(100);
});

test('rows of which nothing is masked need no masker', () => {
  expect(createTableMasker(['a'], [planned('b', { rule: 'null' })], KEY)).toBeNull();
});
