import { expect, test } from 'vitest';
import type { DefinitionMessage } from '../../shared/changes/definitions/message.ts';
import {
  type CommittedRename,
  columnAt,
  columnNow,
  followTable,
  type Rename,
  renamesOf,
} from '../../shared/recovery/row-changes/renames.ts';
import { parseKey, parseTable } from '../../shared/recovery/row-changes/request.ts';

const message = (query: string, more: Partial<DefinitionMessage> = {}): DefinitionMessage =>
  ({
    event: 'end',
    tag: query.startsWith('ALTER SCHEMA') ? 'ALTER SCHEMA' : 'ALTER TABLE',
    nested: false,
    role: 'alice',
    settings: { search_path: '"$user", shop, public' },
    query,
    ...more,
  }) as DefinitionMessage;
const path = ['alice', 'shop', 'public'];

test.each<[string, Rename[]]>([
  ['ALTER TABLE orders RENAME TO sales', [{ kind: 'table', schema: null, path, from: 'orders', to: 'sales' }]],
  [
    'alter table if exists only Shop . "Or""ders" rename to "Sales"',
    [{ kind: 'table', schema: 'shop', path, from: 'Or"ders', to: 'Sales' }],
  ],
  [
    'ALTER TABLE shop.orders RENAME COLUMN note TO remark',
    [{ kind: 'column', schema: 'shop', path, table: 'orders', from: 'note', to: 'remark' }],
  ],
  [
    'ALTER TABLE orders /* RENAME TO x */ RENAME note TO remark -- RENAME TO y',
    [{ kind: 'column', schema: null, path, table: 'orders', from: 'note', to: 'remark' }],
  ],
  ['ALTER TABLE orders SET SCHEMA old', [{ kind: 'moved', schema: null, path, name: 'orders', to: 'old' }]],
  ['ALTER SCHEMA shop RENAME TO store', [{ kind: 'schema', from: 'shop', to: 'store' }]],
  ['ALTER TABLE orders RENAME CONSTRAINT a TO b', []],
  ["ALTER TABLE orders ADD COLUMN c text DEFAULT 'ALTER TABLE orders RENAME TO x'", []],
])('reads the renames of %s', (query, renames) => {
  expect(renamesOf(message(query))).toEqual(renames);
});

test('says nothing of a rename in a function, as the text is not that of the command', () => {
  expect(renamesOf(message('SELECT rename_all()', { nested: true }))).toEqual([]);
});

const history = (...queries: string[]): CommittedRename[] =>
  queries.flatMap((query, index) =>
    renamesOf(message(query)).map((rename) => ({ slot: 'a', lsn: `0/${index + 1}0`, xid: BigInt(index), rename })),
  );
const namesOf = (name: string, renames: readonly CommittedRename[], exists = true): string[] =>
  followTable({ schema: 'shop', name }, renames, exists).states.map(({ schema, name: each }) => `${schema}.${each}`);

test('follows a table back through its renames, also where two tables changed places', () => {
  const swapped = history(
    'ALTER TABLE shop.orders RENAME TO orders_old',
    'ALTER TABLE shop.orders_new RENAME TO orders',
    'ALTER TABLE shop.orders RENAME COLUMN a TO b',
  );
  expect(namesOf('orders', swapped)).toEqual(['shop.orders_new', 'shop.orders', 'shop.orders']);
  expect(namesOf('orders_old', swapped)).toEqual(['shop.orders', 'shop.orders_old']);
  // A name that no table has now: the table that had it last, also after that.
  expect(namesOf('orders_new', swapped, false)).toEqual(['shop.orders_new', 'shop.orders', 'shop.orders']);
});

test('follows a table through schemas, and its columns through theirs', () => {
  const renames = history(
    'ALTER TABLE shop.orders RENAME COLUMN a TO b',
    'ALTER TABLE shop.orders SET SCHEMA store',
    'ALTER TABLE store.orders RENAME COLUMN b TO c',
    'ALTER SCHEMA store RENAME TO shop',
  );
  expect(namesOf('orders', renames)).toEqual([
    'shop.orders',
    'shop.orders',
    'store.orders',
    'store.orders',
    'shop.orders',
  ]);
  const followed = followTable({ schema: 'shop', name: 'orders' }, renames, true);
  expect([0, 1, 3].map((state) => columnAt(followed, 'c', state))).toEqual(['a', 'b', 'c']);
  expect(columnNow(followed, 'a', 0)).toBe('c');
});

test('takes tables and keys as people write them', () => {
  expect(parseTable('orders')).toEqual({ schema: 'public', name: 'orders' });
  expect(parseTable('Shop."Or.ders"')).toEqual({ schema: 'shop', name: 'Or.ders' });
  expect(() => parseTable('a.b.c')).toThrow('not written as SQL');
  expect(parseKey('42')).toEqual({ columns: null, values: ['42'] });
  expect(parseKey('{"a": 1, "b": "x"}')).toEqual({ columns: ['a', 'b'], values: ['1', 'x'] });
  expect(() => parseKey('{"a": null}')).toThrow('no JSON object');
});
