import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type KeyEdge, orderByKeys } from '../../../../shared/backup/restore/rows/foreign-key-order.ts';

const key = (child: string, parent: string, deferrable = false): KeyEdge => ({ child, parent, deferrable });

it('puts parents before children, and what does not depend on each other on one level', () => {
  const { levels, circles } = orderByKeys(
    ['items', 'orders', 'customers', 'lonely'],
    [key('items', 'orders'), key('orders', 'customers'), key('items', 'customers'), key('orders', 'elsewhere')],
  );
  expect(levels.map((groups) => groups.map(({ tables }) => tables.join()).sort())).toEqual([
    ['customers', 'lonely'],
    ['orders'],
    ['items'],
  ]);
  expect(circles).toEqual([]);
});

it('does not take a table that refers to itself for a circle', () => {
  expect(orderByKeys(['a'], [key('a', 'a')])).toEqual({ levels: [[{ tables: ['a'], isCircle: false }]], circles: [] });
});

it('loads a circle together, in the order of the keys that cannot be deferred', () => {
  const edges = [key('a', 'b'), key('b', 'c', true), key('c', 'a'), key('d', 'a'), key('c', 'e')];
  const { levels, circles } = orderByKeys(['a', 'b', 'c', 'd', 'e'], edges);
  expect(circles).toEqual([]);
  expect(levels).toEqual([
    [{ tables: ['e'], isCircle: false }],
    [{ tables: ['b', 'a', 'c'], isCircle: true }],
    [{ tables: ['d'], isCircle: false }],
  ]);
});

it('names a circle of keys none of which can be deferred', () => {
  const { circles } = orderByKeys(['a', 'b', 'c'], [key('a', 'b'), key('b', 'a'), key('a', 'c', true)]);
  expect(circles.map((circle) => [...circle].sort())).toEqual([['a', 'b']]);
});

it('holds each table once and no firm key backwards, whatever the keys', () => {
  const table = fc.integer({ min: 0, max: 11 }).map(String);
  fc.assert(
    fc.property(
      fc.array(fc.record({ child: table, parent: table, deferrable: fc.boolean() }), { maxLength: 30 }),
      (edges) => {
        const tables = Array.from({ length: 12 }, (_, index) => String(index));
        const { levels, circles } = orderByKeys(tables, edges);
        const order = levels.flatMap((groups) => groups.flatMap((group) => group.tables));
        expect([...order].sort()).toEqual([...tables].sort());
        const refused = new Set(circles.flat());
        const levelOf = (name: string) =>
          levels.findIndex((groups) => groups.some((group) => group.tables.includes(name)));
        for (const { child, parent, deferrable } of edges) {
          if (child === parent) continue;
          expect(levelOf(parent)).toBeLessThanOrEqual(levelOf(child));
          const together = levels[levelOf(child)]
            ?.find((group) => group.tables.includes(child))
            ?.tables.includes(parent);
          if (!together) expect(levelOf(parent)).toBeLessThan(levelOf(child));
          else if (!deferrable && !refused.has(child)) expect(order.indexOf(parent)).toBeLessThan(order.indexOf(child));
        }
      },
    ),
  );
});

it('goes through a chain of very many tables', () => {
  const tables = Array.from({ length: 20_000 }, (_, index) => String(index));
  const edges = tables.slice(1).map((parent, index) => key(String(index), parent));
  expect(orderByKeys(tables, edges).levels).toHaveLength(20_000);
});
