import { expect, test } from 'vitest';
import { changedValues } from '../../../shared/backup/restore/changed-values.ts';

const table = (rows: number, types?: string[]) => ({
  ...{ oid: 1, schema: 'public', name: 'marks', rows, bytes: 10, chunks: [], columns: ['id', 'mark', 'more'] },
  ...(types ? { types } : {}),
});
const marks = table(1, ['integer', '"char"', '"char"[]']);

test('columns of "char" are named where an older server would read other values', () => {
  expect(changedValues({ server_version: 150_018, tables: [marks] }, 140_022)).toEqual([
    '"public"."marks": values beyond ASCII of mark, more (type "char") arrive as backslashes, as this server is older than PostgreSQL 15',
  ]);
});

test.each([
  ['between newer servers', 180_004, 150_018, marks],
  ['between older servers', 140_022, 130_023, marks],
  ['without rows', 180_004, 140_022, table(0, ['integer', '"char"', '"char"'])],
  ['without such columns', 180_004, 140_022, table(1, ['integer', 'character(1)', 'text'])],
  ['of an old backup that tells no types', 180_004, 140_022, table(1)],
])('nothing is said %s', (_, server_version, version, one) => {
  expect(changedValues({ server_version, tables: [one] }, version)).toEqual([]);
});
