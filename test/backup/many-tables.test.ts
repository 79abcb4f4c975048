import { expect, test } from 'vitest';
import { exportTasks } from '../../shared/backup/export/tasks.ts';
import { parseManifest } from '../../shared/backup/manifest.ts';
import { loadOrder } from '../../shared/backup/restore/load-order.ts';
import { planLoads } from '../../shared/backup/restore/plan-loads.ts';
import { entryQueue, scheduleEntries } from '../../shared/backup/restore/schedule-entries.ts';
import { scheduleAnalyze } from '../../shared/backup/restore/statistics.ts';
import { tailorBackup } from '../../shared/backup/restore/tailor.ts';
import type { SchemaEntry } from '../../shared/postgres/pg-dump/schema-dump.ts';
import { manyTables } from './support/many-tables.ts';

const TABLES = 100_000;

/**
 * Each step must be about linear: one that looks through all tables for each table computes for the better part of a minute here.
 * All together take some seconds.
 */
const MAX_CPU_SECONDS = 30;

test('a backup and a restore of 100,000 tables can be planned', () => {
  const before = process.cpuUsage();
  const { prepared, manifest } = manyTables(TABLES);
  expect(exportTasks(prepared)).toHaveLength(TABLES);
  const json = Buffer.from(JSON.stringify(manifest));
  expect(json.length).toBeLessThan(100_000_000);
  const read = parseManifest(json);

  const entry = (dump_id: number, type: string, depends_on: number[]): SchemaEntry => ({
    dump_id,
    class_id: 1259,
    oid: 16_384 + (dump_id % TABLES),
    depends_on,
    section: type === 'TABLE' ? 'pre-data' : 'post-data',
    type,
    schema: 'public',
    name: `table ${dump_id % TABLES}`,
    owner: 'owner',
    sql: 'SELECT 1',
  });
  const numbers = Array.from({ length: TABLES }, (_, n) => n);
  const preData = numbers.map((n) => entry(n + TABLES, 'TABLE', []));
  // Each table has a key, and refers to another one, whose key may be built long after the first could begin.
  const postData = numbers.flatMap((n) => [
    entry(n + 2 * TABLES, 'CONSTRAINT', [n + TABLES]),
    entry(n + 3 * TABLES, 'FK CONSTRAINT', [
      n + TABLES,
      ((n * 7919) % TABLES) + TABLES,
      ((n * 7919) % TABLES) + 2 * TABLES,
    ]),
  ]);
  const { schema, manifest: tailored } = tailorBackup(read, { preamble: '', entries: [...preData, ...postData] }, {});
  expect(schema.entries).toHaveLength(3 * TABLES);

  const order = loadOrder(planLoads(tailored.tables, 4));
  let loaded = 0;
  for (let task = order.next(); task; task = order.next()) {
    loaded += task.chunks.length;
    order.done(task);
  }
  expect(loaded).toBe(TABLES);

  const bytes = new Map(tailored.tables.map((table) => [table.oid, table.bytes]));
  const { parallel } = scheduleEntries(preData, postData, (oid) => bytes.get(oid) ?? 0);
  const analyzable = preData.map(({ name }) => ({ schema: 'public', name, is_loaded: true, has_rows: true }));
  const queue = entryQueue([...parallel, ...scheduleAnalyze(analyzable, preData, parallel).entries]);
  const lanes: NonNullable<ReturnType<typeof queue.take>>[] = [];
  let built = 0;
  while (queue.remaining > 0) {
    while (lanes.length < 4) {
      const taken = queue.take();
      if (!taken) break;
      lanes.push(taken);
    }
    const done = lanes.shift();
    if (!done) break;
    queue.done(done);
    built += 1;
  }
  expect(built).toBe(3 * TABLES);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(MAX_CPU_SECONDS);
});
