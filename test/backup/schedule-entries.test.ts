import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryQueue, type ScheduledEntry, scheduleEntries } from '../../shared/backup/restore/schedule-entries.ts';
import { scheduleAnalyze } from '../../shared/backup/restore/statistics.ts';
import type { SchemaEntry } from '../../shared/postgres/pg-dump/schema-dump.ts';

function entry(dump_id: number, type: string, more: Partial<SchemaEntry> = {}): SchemaEntry {
  return {
    dump_id,
    class_id: 1259,
    oid: 16_000 + dump_id,
    depends_on: [],
    section: type === 'TABLE' ? 'pre-data' : 'post-data',
    type,
    schema: 'public',
    name: `e${dump_id}`,
    owner: null,
    sql: '',
    ...more,
  };
}

/** Entries on four tables; each may depend on some before it. */
const entriesArbitrary = fc
  .array(
    fc.record({
      type: fc.constantFrom('INDEX', 'CONSTRAINT', 'FK CONSTRAINT', 'TRIGGER'),
      tables: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 2 }),
      before: fc.nat(10),
    }),
    { maxLength: 25 },
  )
  .map((all) =>
    all.map(({ type, tables, before }, index) => {
      const predecessor = index > 0 && before < 5 ? [100 + (before % index)] : [];
      return entry(100 + index, type, { depends_on: [...tables, ...predecessor] });
    }),
  );

const tables = [1, 2, 3, 4].map((id) => entry(id, 'TABLE'));

/** Works the queue off on some lanes and tells what ran beside what. */
function workOff(entries: readonly ScheduledEntry[], lanes: number, pick: (count: number) => number): void {
  const queue = entryQueue(entries);
  const running: ScheduledEntry[] = [];
  const done = new Set<number>();
  while (queue.remaining > 0) {
    while (running.length < lanes) {
      const next = queue.take();
      if (!next) break;
      for (const id of next.after) expect(done).toContain(id);
      for (const other of running) {
        const isShared = [...next.tables].some((table) => other.tables.has(table));
        if (isShared) expect(next.shared && other.shared).toBe(true);
      }
      running.push(next);
    }
    const [ended] = running.splice(pick(running.length), 1);
    if (!ended) throw new Error('Nothing runs and something remains');
    queue.done(ended);
    done.add(ended.entry.dump_id);
  }
  expect(done.size).toBe(entries.length);
}

describe('post-data entries', () => {
  it('run each once, after what they depend on, and beside another on the same table only when both are indexes', () => {
    fc.assert(
      fc.property(
        entriesArbitrary,
        fc.integer({ min: 1, max: 5 }),
        fc.infiniteStream(fc.nat(1000)),
        (post, lanes, numbers) => {
          const { parallel } = scheduleEntries(tables, post, () => 1);
          workOff(parallel, lanes, (count) => (numbers.next().value ?? 0) % Math.max(1, count));
        },
      ),
    );
  });

  it('begin with those of the largest tables', () => {
    const post = [entry(100, 'INDEX', { depends_on: [1] }), entry(101, 'INDEX', { depends_on: [2] })];
    const { parallel } = scheduleEntries(tables, post, (oid) => (oid === 16_002 ? 1000 : 1));
    expect(entryQueue(parallel).take()?.entry.dump_id).toBe(101);
  });

  it('begin with that after which the most is to be done', () => {
    const post = [
      entry(100, 'INDEX', { depends_on: [1] }),
      entry(101, 'CONSTRAINT', { depends_on: [2] }),
      entry(102, 'FK CONSTRAINT', { depends_on: [1, 2, 101] }),
    ];
    const { parallel } = scheduleEntries(tables, post, (oid) => (oid === 16_001 ? 1000 : 1));
    expect(entryQueue(parallel).take()?.entry.dump_id).toBe(101);
  });

  it('leave privileges for later and event triggers, with what depends on them, for last', () => {
    const post = [
      entry(100, 'EVENT TRIGGER'),
      entry(101, 'COMMENT', { depends_on: [100] }),
      entry(102, 'ACL', { depends_on: [1] }),
      entry(103, 'INDEX', { depends_on: [1] }),
    ];
    const { parallel, privileges, last } = scheduleEntries(tables, post, () => 1);
    expect(parallel.map((scheduled) => scheduled.entry.dump_id)).toEqual([103]);
    expect(privileges.map(({ dump_id }) => dump_id)).toEqual([102]);
    expect(last.map(({ dump_id }) => dump_id)).toEqual([100, 101]);
  });
});

describe('statistics', () => {
  it('wait for the indexes of their table, not for its foreign keys, and run among the other entries', () => {
    const post = [
      entry(100, 'INDEX', { depends_on: [1] }),
      entry(101, 'CONSTRAINT', { depends_on: [1] }),
      entry(102, 'FK CONSTRAINT', { depends_on: [1, 2, 101] }),
    ];
    const { parallel } = scheduleEntries(tables, post, () => 1);
    const { entries, later } = scheduleAnalyze(
      [
        { schema: 'public', name: 'e1', has_rows: true },
        { schema: 'public', name: 'e2', has_rows: false },
        { schema: 'public', name: 'unknown', has_rows: true },
      ],
      tables,
      parallel,
    );
    expect(entries.map(({ after, tables: touched }) => [[...after].sort(), [...touched]])).toEqual([[[100, 101], [1]]]);
    expect(later.map(({ name }) => name)).toEqual(['e2', 'unknown']);
    workOff([...parallel, ...entries], 2, () => 0);
  });
});
