import { expect, test } from 'vitest';
import { findPersonal } from '../../shared/masking/find/find-personal.ts';
import { settleMasks } from '../../shared/masking/find/settle-masks.ts';
import { planMasking } from '../../shared/masking/plan/plan-masking.ts';
import { anyServer, createScratchDatabase } from '../support/servers.ts';
import { hospitalSql } from './schemas/hospital.sql.ts';
import { rentalSql } from './schemas/rental.sql.ts';
import { tradeSql } from './schemas/trade.sql.ts';

/** Columns that are marked in the definitions, as `table.column`. */
function markedIn(sql: string): string[] {
  let table = '';
  return sql.split('\n').flatMap((line) => {
    table = /CREATE TABLE (\S+) \(/.exec(line)?.[1]?.split('.').at(-1) ?? table;
    const [, column] = /^ {2}"?(\w+)"? .*-- personal$/.exec(line) ?? [];
    return column ? [`${table}.${column}`] : [];
  });
}

const server = anyServer();

test.each([
  ['a rental shop', rentalSql],
  ['a maker of bicycles', tradeSql],
  ['a hospital', hospitalSql],
])(
  'in the schema of %s, what is personal is found and little else, and all rules that are proposed fit together',
  async (_, sql) => {
    const database = await createScratchDatabase(server);
    const client = await database.connect();
    try {
      await client.query(sql);
      const expected = new Set(markedIn(sql));
      await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = ''`);
      const { signal } = new AbortController();
      const { findings } = await findPersonal(client, signal);
      const found = findings.map(({ table, column }) => `${table}.${column}`);
      const right = found.filter((each) => expected.has(each));
      const missed = [...expected].filter((each) => !found.includes(each));
      const wrong = found.filter((each) => !expected.has(each));
      const figures = { recall: right.length / expected.size, precision: right.length / found.length, missed, wrong };
      expect(expected.size).toBeGreaterThan(12);
      expect(figures.recall, JSON.stringify(figures)).toBeGreaterThanOrEqual(0.95);
      expect(figures.precision, JSON.stringify(figures)).toBeGreaterThanOrEqual(0.95);

      const { proposals, checked } = await settleMasks(client, findings, signal);
      const rules = proposals.flatMap(({ schema, table, column, mask }) =>
        mask ? [{ schema, table, column, mask }] : [],
      );
      const maskingKey = new Uint8Array(32).fill(7);
      expect(checked).toBe(true);
      expect((await planMasking(client, { version: 1, rules, maskingKey }, signal)).problems).toEqual([]);
      const without = proposals.filter(({ mask }) => mask === null);
      expect(without.map(({ table, column, problem }) => `${table}.${column}: ${problem}`)).toEqual([]);
      await client.query('ROLLBACK');
    } finally {
      await client.end();
      await database.drop();
    }
  },
);
