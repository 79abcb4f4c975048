import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { planLoads } from '../../../shared/backup/restore/plan-loads.ts';

type Table = Manifest['tables'][number];

function tableOf(name: string, chunks: readonly number[]): Table {
  return {
    oid: 1,
    schema: 'public',
    name,
    columns: [],
    rows: 0,
    bytes: chunks.reduce((sum, bytes) => sum + bytes, 0),
    chunks: chunks.map((bytes, index) => ({
      path: `data/${name}/${index}`,
      bytes,
      rows: 0,
      stored_bytes: 0,
      sha256: '0'.repeat(64),
    })),
  } as Table;
}

const wholeTables = (tables: readonly Table[], lanes: number) =>
  planLoads(tables, lanes).map(({ table, chunks, whole }) => [table.name, chunks.length, whole]);

it('keeps tables whole where the lanes are as long as each other', () => {
  const tables = [tableOf('customers', [10, 10]), tableOf('events', [10, 10, 10]), tableOf('orders', [10])];
  expect(wholeTables(tables, 2)).toEqual([
    ['events', 3, true],
    ['customers', 2, true],
    ['orders', 1, true],
  ]);
});

it('has several lanes load a table that would keep one of them busy for longer than the others', () => {
  expect(wholeTables([tableOf('log', [10, 10, 10, 10]), tableOf('tag', [1])], 2)).toEqual([
    ['log', 1, false],
    ['log', 1, false],
    ['log', 1, false],
    ['log', 1, false],
    ['tag', 1, true],
  ]);
  const three = [tableOf('a', [17, 17]), tableOf('b', [17, 16]), tableOf('c', [17, 16])];
  expect(wholeTables(three, 2).map(([name, , whole]) => [name, whole])).toEqual([
    ['a', true],
    ['b', true],
    ['c', false],
    ['c', false],
  ]);
});

it('loads every chunk once, and no lane for much longer than its share and one chunk', () => {
  const size = fc.integer({ min: 1, max: 100 });
  const tables = fc.array(fc.array(size, { maxLength: 8 }), { maxLength: 12 });
  fc.assert(
    fc.property(tables, fc.integer({ min: 1, max: 8 }), (chunks, lanes) => {
      const all = chunks.map((bytes, index) => tableOf(`t${index}`, bytes));
      const tasks = planLoads(all, lanes);
      const paths = tasks.flatMap((task) => task.chunks.map(({ path }) => path));
      expect(paths.sort()).toEqual(all.flatMap((table) => table.chunks.map(({ path }) => path)).sort());
      for (const { table, chunks: own, whole, bytes } of tasks) {
        expect(whole).toBe(own.length === table.chunks.length);
        expect(bytes).toBe(own.reduce((sum, chunk) => sum + chunk.bytes, 0));
      }
      const share = all.reduce((sum, { bytes }) => sum + bytes, 0) / lanes;
      const largest = Math.max(0, ...all.flatMap((table) => table.chunks.map(({ bytes }) => bytes)));
      for (const task of tasks) expect(task.bytes).toBeLessThanOrEqual(Math.max(1.1 * share, largest) + 0.001);
    }),
  );
});
