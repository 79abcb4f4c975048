import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyOutSql, type PlannedTable, planChunks } from '../../shared/backup/plan/plan.ts';

const BLOCK = 8192;
const options = { blockSize: BLOCK, wholeBytes: 1_000_000_000 };

const tableArbitrary = fc.record({ heapPages: fc.nat(300_000), toastBytes: fc.nat(2_000_000_000) });

function tablesOf(sizes: readonly { heapPages: number; toastBytes: number }[]): PlannedTable[] {
  return sizes.map(({ heapPages, toastBytes }, number) => ({
    number,
    oid: 16_384 + number,
    schema: 'public',
    name: `t${number}`,
    columns: ['a'],
    hasColumns: true,
    condition: null,
    heapBytes: heapPages * BLOCK,
    tableBytes: heapPages * BLOCK + toastBytes,
    estimatedRows: null,
  }));
}

describe('a plan', () => {
  it('covers every page of every table once, pages added later included', () => {
    fc.assert(
      fc.property(
        fc.array(tableArbitrary, { maxLength: 20 }),
        fc.integer({ min: 1_048_576, max: 500_000_000 }),
        fc.constantFrom(130_000, 150_000),
        (sizes, chunkBytes, serverVersion) => {
          const tables = tablesOf(sizes);
          const rangeable = new Set(tables.map(({ number }) => number));
          const { chunks } = planChunks(tables, { ...options, rangeable, serverVersion, chunkBytes });
          for (const table of tables) {
            const own = chunks.filter((chunk) => chunk.table === table).sort((a, b) => a.index - b.index);
            expect(own.map(({ index }) => index)).toEqual(own.map((_, index) => index));
            expect(own[0]?.fromPage).toBeNull();
            expect(own.at(-1)?.toPage).toBeNull();
            for (const [index, chunk] of own.slice(1).entries()) {
              expect(chunk.fromPage).toBe(own[index]?.toPage);
              expect(chunk.fromPage).toBeGreaterThan(own[index]?.fromPage ?? -1);
            }
          }
        },
      ),
    );
  });

  it('makes chunks of about the size asked for, the largest first', () => {
    fc.assert(
      fc.property(fc.array(tableArbitrary, { minLength: 1, maxLength: 20 }), (sizes) => {
        const chunkBytes = 134_217_728;
        const tables = tablesOf(sizes);
        const rangeable = new Set(tables.map(({ number }) => number));
        const { chunks } = planChunks(tables, { ...options, rangeable, serverVersion: 150_000, chunkBytes });
        for (const { table, weight } of chunks) {
          // A page is the least that a chunk can be, however much of it lies in TOAST.
          const pages = table.heapBytes / BLOCK;
          expect(weight).toBeLessThanOrEqual(
            Math.max(chunkBytes * 1.5, pages < 2 ? table.tableBytes : 0, table.tableBytes / Math.max(1, pages)),
          );
        }
        const weights = chunks.map(({ weight }) => weight);
        expect(weights).toEqual([...weights].sort((a, b) => b - a));
      }),
    );
  });

  it.each([
    ['a server that does not read ranges of pages, up to a size', 130_000, 100_000, true],
    ['a table that is no heap', 150_000, 200_000, false],
  ])('leaves a table whole for %s', (_, serverVersion, heapPages, isHeap) => {
    const tables = tablesOf([{ heapPages, toastBytes: 0 }]);
    const rangeable = new Set(isHeap ? [0] : []);
    const { chunks } = planChunks(tables, { ...options, rangeable, serverVersion, chunkBytes: 134_217_728 });
    expect(chunks.map(({ fromPage, toPage }) => [fromPage, toPage])).toEqual([[null, null]]);
  });

  it('reads a larger table by the places of its rows where the server does not read ranges, of few pages at a time', () => {
    const tables = tablesOf([{ heapPages: 200_000, toastBytes: 0 }]);
    const rangeable = new Set([0]);
    const { chunks } = planChunks(tables, { ...options, rangeable, serverVersion: 130_000, chunkBytes: 500_000_000 });
    expect(chunks).toHaveLength(49);
    const sizes = chunks.map(({ fromPage, toPage, places }) => (toPage ?? places?.pages ?? 0) - (fromPage ?? 0));
    expect(sizes.reduce((sum, size) => sum + size)).toBe(200_000);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4096);
    expect(new Set(chunks.map(({ places }) => places?.rowsPerPage))).toEqual(new Set([291]));
  });
});

describe('the statement that reads a chunk', () => {
  const [table] = tablesOf([{ heapPages: 10, toastBytes: 0 }]);
  const chunk = (fromPage: number | null, toPage: number | null, condition: string | null = null) =>
    copyOutSql(
      { table: { ...(table as PlannedTable), condition }, index: 0, fromPage, toPage, weight: 1 },
      'LATIN1',
    ).replaceAll(/ +/g, ' ');

  it('reads a whole table as COPY does, and a range by ctid, in the encoding of the database', () => {
    expect(chunk(null, null)).toBe(`COPY "public"."t0" ("a") TO STDOUT WITH (ENCODING 'LATIN1')`);
    expect(chunk(null, 7)).toBe(
      `COPY (SELECT "a" FROM ONLY "public"."t0" WHERE ctid < '(7,0)'::pg_catalog.tid) TO STDOUT WITH (ENCODING 'LATIN1')`,
    );
    expect(chunk(7, null)).toContain(`WHERE ctid >= '(7,0)'::pg_catalog.tid)`);
  });

  it("keeps an extension table's own condition beside the range", () => {
    const sql = chunk(3, 7, 'WHERE id > 100');
    expect(sql).toContain(`WHERE id > 100 AND ctid >= '(3,0)'::pg_catalog.tid AND ctid < '(7,0)'::pg_catalog.tid`);
  });
});
