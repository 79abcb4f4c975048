import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UNCHANGED } from '../../shared/changes/decoding/tuple.ts';
import { Diverged, netChanges, netCounts, valuesOfLine } from '../../shared/changes/replay/net-changes.ts';

/** A table as a map of keys, with one small and one large value in each row. */
type Table = Map<string, string[]>;

const operations = fc.array(
  fc.record({
    kind: fc.constantFrom('insert', 'update', 'move', 'delete'),
    key: fc.integer({ min: 0, max: 6 }).map(String),
    other: fc.integer({ min: 0, max: 6 }).map(String),
    unchanged: fc.boolean(),
    value: fc.string({ maxLength: 2 }),
  }),
  { maxLength: 40 },
);

test('what changes come to, written at once, is what they do one by one', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 6 }).map(String)), operations, (present, all) => {
      const before: Table = new Map(present.map((key) => [key, [key, `small ${key}`, `large ${key}`]]));
      const table: Table = new Map(before);
      const net = netChanges();
      for (const { kind, key, other, unchanged, value } of all) {
        const row = table.get(key);
        if (kind === 'insert' && !row) {
          const values = [key, value, `large ${value}`];
          table.set(key, values);
          net.insert(key, [...values]);
        } else if (kind === 'delete' && row) {
          table.delete(key);
          net.delete(key);
        } else if ((kind === 'update' || kind === 'move') && row) {
          const to = kind === 'move' ? other : key;
          if (to !== key && table.has(to)) continue;
          const large = unchanged ? (row[2] ?? '') : `large ${value}`;
          table.delete(key);
          table.set(to, [to, value, large]);
          net.update(key, to, [to, value, unchanged ? UNCHANGED : large]);
        }
      }
      const written: Table = new Map(before);
      for (const key of net.stored()) expect(written.delete(key)).toBe(true);
      for (const { line, from } of net.rows()) {
        const values = valuesOfLine(line);
        const key = values[0] ?? '';
        expect(written.has(key)).toBe(false);
        const stored = from === null ? [] : (before.get(from) ?? []);
        written.set(
          key,
          values.map((value, index) => (value === UNCHANGED ? (stored[index] ?? '') : value)),
        );
      }
      expect([...written].sort()).toEqual([...table].sort());
    }),
    { numRuns: 500 },
  );
});

test('rows that cannot be there, or must be, show that something was lost', () => {
  const net = netChanges();
  net.insert('1', ['1']);
  expect(() => net.insert('1', ['1'])).toThrow(Diverged);
  net.delete('1');
  net.delete('2');
  expect(() => net.delete('2')).toThrow(Diverged);
  expect(net.stored()).toEqual(['2']);
});

test('rows without a key are counted', () => {
  const net = netCounts();
  for (const row of ['a', 'a', 'b']) net.add(row);
  for (const row of ['a', 'b', 'c']) net.remove(row);
  expect(net.counts()).toEqual([
    ['a', 1],
    ['c', -1],
  ]);
});
