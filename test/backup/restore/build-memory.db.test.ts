import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { openBuildMemory, sortMemoryBytes } from '../../../shared/backup/restore/build-memory.ts';
import type { SchemaEntry } from '../../../shared/postgres/pg-dump/schema-dump.ts';
import { forEachServer, withClient } from '../../support/servers.ts';

const MEGABYTE = 1_048_576;

describe('the memory of a sort', () => {
  it('grows with the root of its rows, from what a core has as its cache', () => {
    expect(sortMemoryBytes(0)).toBe(8 * MEGABYTE);
    expect(sortMemoryBytes(1_000_000)).toBe(8 * MEGABYTE);
    expect(Math.round(sortMemoryBytes(10_000_000) / MEGABYTE)).toBe(19);
    expect(Math.round(sortMemoryBytes(40_000_000) / MEGABYTE)).toBe(38);
  });

  it('lets PostgreSQL merge all of its runs in one go', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000_000_000 }), (rows) => {
        const bytes = sortMemoryBytes(rows);
        const runs = (rows * 140) / bytes;
        // tuplesort_merge_order(): two blocks and a read-ahead buffer of 32 blocks a run, at most 500 runs.
        expect(runs).toBeLessThanOrEqual(Math.min(500, bytes / (2 * 8192 + 32 * 8192)));
      }),
    );
  });
});

const entry = (dump_id: number, type: string, sql = '', depends_on: number[] = []): SchemaEntry => ({
  dump_id,
  class_id: 1259,
  oid: 16_000 + dump_id,
  depends_on,
  section: type === 'TABLE' ? 'pre-data' : 'post-data',
  type,
  schema: 'public',
  name: `e${dump_id}`,
  owner: null,
  sql,
});

forEachServer((server) => {
  const preData = [entry(1, 'TABLE'), entry(2, 'TABLE'), entry(3, 'TABLE')];
  const tables = [
    { oid: 16_001, rows: 10_000_000 },
    { oid: 16_002, rows: 2_000_000 },
  ] as Parameters<typeof openBuildMemory>[2]['manifest']['tables'];
  /** What a session may use, in kB, when an entry on these tables is built. */
  const memoryFor = (type: string, sql: string, touched: number[]): Promise<number> =>
    withClient(server, 'postgres', async (client) => {
      await client.query("SET maintenance_work_mem = '64MB'; SET effective_cache_size = '4GB'");
      const allowMemory = await openBuildMemory(client, 2, { manifest: { tables }, preData });
      await allowMemory(client, { entry: entry(10, type, sql), tables: new Set(touched) });
      const { rows } = await client.query("SELECT setting FROM pg_settings WHERE name = 'maintenance_work_mem'");
      return Number(rows[0].setting);
    });
  const forRows = (rows: number): number => Math.floor(sortMemoryBytes(rows) / 1024);
  const most = 256 * 1024;
  const own = 64 * 1024;

  test.each([
    ['INDEX', 'CREATE INDEX i ON public.e1 USING btree (a)', [1], forRows(10_000_000)],
    ['INDEX', 'CREATE UNIQUE INDEX i ON public.e2 USING btree (a)', [2], forRows(2_000_000)],
    ['CONSTRAINT', 'ALTER TABLE ONLY public.e1\n    ADD CONSTRAINT k PRIMARY KEY (a);', [1], forRows(10_000_000)],
    ['FK CONSTRAINT', 'ALTER TABLE ONLY public.e1\n    ADD CONSTRAINT f FOREIGN KEY (a)', [1, 2], forRows(12_000_000)],
    ['INDEX', 'CREATE INDEX i ON public.e1 USING gin (a)', [1], most],
    ['CONSTRAINT', 'ALTER TABLE ONLY public.e1\n    ADD CONSTRAINT x EXCLUDE USING gist (a WITH =);', [1], most],
    ['FK CONSTRAINT', 'ALTER TABLE public.e3\n    ADD CONSTRAINT f FOREIGN KEY (a)', [3, 2], most],
    ['TRIGGER', 'CREATE TRIGGER t BEFORE INSERT ON public.e1', [1], own],
  ])(`${server.label}: %s, %s`, async (type, sql, touched, expected) => {
    expect(await memoryFor(type, sql, touched)).toBe(expected);
  });
});
