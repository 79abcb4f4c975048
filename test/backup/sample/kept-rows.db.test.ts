import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyOutSql, listTables } from '../../../shared/backup/plan/plan.ts';
import { hashCondition } from '../../../shared/backup/sample/hash.ts';
import { planSample } from '../../../shared/backup/sample/plan-sample.ts';
import { connect } from '../../../shared/postgres/connect.ts';
import { anyServer, createScratchDatabase, type ScratchDatabase } from '../../support/servers.ts';
import { createSql, foreignKeysSql, type RandomTable, randomTables, tableName } from './random-schema.ts';

let database: ScratchDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createScratchDatabase(anyServer());
  client = await connect(database.target(), { kind: 'exporting' });
});
afterAll(async () => {
  await client?.end();
  await database?.drop();
});

/** The numbers of a table's rows for which a statement says so. */
async function numbers(sql: string): Promise<Set<number>> {
  const { rows } = await client.query<{ n: number }>(sql);
  return new Set(rows.map(({ n }) => n));
}

interface Sampled {
  /** By the place of the table, the numbers of its kept rows, and of those that the percentage would choose by their key. */
  kept: Set<number>[];
  hashed: Set<number>[];
}

/** Puts the kept rows of the schema `source` into the same tables in `copy`, with all their foreign keys. */
async function sampleInto(
  tables: readonly RandomTable[],
  chosen: readonly number[],
  percent: number,
): Promise<Sampled> {
  await client.query(`DROP SCHEMA IF EXISTS source, copy CASCADE; ${createSql('source', tables)}; CREATE SCHEMA copy`);
  const { tables: listed } = await listTables(client);
  const patterns = chosen.map((index) => `source.${tableName(index)}`);
  const { tables: planned } = await planSample(client, { percent, tables: patterns }, listed);
  const kept: Set<number>[] = [];
  const hashed: Set<number>[] = [];
  for (const [index, { kind }] of tables.entries()) {
    const name = tableName(index);
    await client.query(`CREATE TABLE copy.${name} (LIKE source.${name} INCLUDING INDEXES)`);
    for (const table of planned) {
      if (table.schema !== 'source' || (table.root?.name ?? table.name) !== name) continue;
      const copy = copyOutSql({ table, index: 0, fromPage: 0, toPage: null, weight: 1 }, 'UTF8');
      const select = /^COPY \(([\s\S]*)\) TO STDOUT/.exec(copy)?.[1] ?? '';
      await client.query(`INSERT INTO copy.${name} (${table.columns.map((each) => `"${each}"`).join(', ')}) ${select}`);
    }
    kept.push(await numbers(`SELECT n FROM copy.${name}`));
    const key = { int: ['id'], composite: ['a', 'B'], text: ['code'], partitioned: ['id', 'part'] }[kind];
    hashed.push(await numbers(`SELECT n FROM source.${name} t WHERE ${hashCondition('t', key, percent)}`));
  }
  // The server itself says whether each is whole.
  for (const key of foreignKeysSql('copy', tables)) await client.query(key);
  return { kept, hashed };
}

/** The tables that are sampled: the chosen ones and all that lead to them. */
function reducedBy(tables: readonly RandomTable[], chosen: readonly number[]): Set<number> {
  const reduced = new Set(chosen);
  for (const parent of reduced) {
    tables.forEach(({ references }, index) => {
      if (references.some(({ to }) => to === parent)) reduced.add(index);
    });
  }
  return reduced;
}

/** Whether a table leads back to itself. */
function isInCircle(tables: readonly RandomTable[], index: number): boolean {
  const seen = new Set(tables[index]?.references.map(({ to }) => to));
  for (const each of seen) for (const { to } of tables[each]?.references ?? []) seen.add(to);
  return seen.has(index);
}

test('any schema stays whole, and every row is kept or left out for a reason', async () => {
  const cases = randomTables.chain((tables) =>
    fc.record({
      tables: fc.constant(tables),
      chosen: fc.subarray([...tables.keys()], { minLength: 1 }),
      percent: fc.constantFrom(20, 50, 80),
    }),
  );
  await fc.assert(
    fc.asyncProperty(cases, async ({ tables, chosen, percent }) => {
      const { kept, hashed } = await sampleInto(tables, chosen, percent);
      const reduced = reducedBy(tables, chosen);
      const has = (table: number, row: number | null) => row === null || kept[table]?.has(row) === true;
      const needed = tables.map(() => new Set<number>());
      tables.forEach(({ rows, references }, index) => {
        for (let n = 0; n < rows; n++) {
          if (has(index, n)) for (const { to, rows: targets } of references) needed[to]?.add(targets[n] ?? -1);
        }
      });
      tables.forEach(({ rows, references }, index) => {
        const toSampled = references.filter(({ to }) => reduced.has(to));
        for (let n = 0; n < rows; n++) {
          const isWhole = toSampled.every(({ to, rows: targets }) => has(to, targets[n] ?? null));
          const follows = toSampled.some(({ rows: targets }) => (targets[n] ?? null) !== null);
          const isChosen = !chosen.includes(index) || hashed[index]?.has(n) === true;
          const message = `row ${n} of ${tableName(index)}`;
          if (!isInCircle(tables, index)) {
            expect(has(index, n), message).toBe(isWhole && (isChosen || follows));
          } else if (!chosen.includes(index)) {
            if (reduced.has(index)) expect(has(index, n), message).toBe(isWhole);
            else expect(has(index, n), message).toBe(true);
          } else {
            if (isWhole && isChosen) expect(has(index, n), message).toBe(true);
            if (has(index, n) && !isChosen && !follows) expect(needed[index]?.has(n), message).toBe(true);
          }
        }
      });
    }),
    { numRuns: 60 },
  );
});
