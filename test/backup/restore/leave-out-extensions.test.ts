import { expect, test } from 'vitest';
import type { Manifest } from '../../../shared/backup/manifest.ts';
import { leaveOutExtensions, lossWithout } from '../../../shared/backup/restore/extensions/leave-out-extensions.ts';
import type { TailoredBackup } from '../../../shared/backup/restore/tailor.ts';
import type { SchemaEntry } from '../../../shared/postgres/pg-dump/schema-dump.ts';

const PG_CLASS = 1259;
let ids = 0;
const entry = (type: string, name: string, more: Partial<SchemaEntry> = {}): SchemaEntry => {
  ids += 1;
  return {
    ...{ dump_id: ids, class_id: type === 'TABLE' ? PG_CLASS : 0, oid: ids, depends_on: [], section: 'pre-data' },
    ...{ type, schema: 'public', name, owner: null, sql: '' },
    ...more,
  };
};
const cron = entry('EXTENSION', 'pg_cron', { schema: null });
const hstore = entry('EXTENSION', 'hstore', { schema: null });
const orders = entry('TABLE', 'orders');
const notes = entry('TABLE', 'notes', { depends_on: [hstore.dump_id] });
const view = entry('VIEW', 'seen', { depends_on: [notes.dump_id] });
const comment = entry('COMMENT', 'EXTENSION pg_cron', { schema: null, depends_on: [cron.dump_id] });

const table = (schema: string, name: string, oid: number, rows: number) => ({
  ...{ oid, schema, name, columns: [], rows, bytes: rows, chunks: [] },
});
const manifest = {
  tables: [
    table('public', 'orders', orders.oid, 5),
    table('public', 'notes', notes.oid, 2),
    table('cron', 'job', 999, 3),
  ],
  sequences: [{ schema: 'cron', name: 'jobid_seq', last_value: '3', is_called: true }],
  materialized_views: [],
  large_objects: { objects: [], chunks: [] },
  totals: { tables: 3, rows: 10, bytes: 10, stored_bytes: 1, objects: 1 },
} as unknown as Manifest;
const extensions = [
  { name: 'hstore', version: '1', schemas: [], relations: [] },
  {
    name: 'pg_cron',
    version: '1',
    schemas: ['cron'],
    relations: [
      { schema: 'cron', name: 'job' },
      { schema: 'cron', name: 'jobid_seq' },
    ],
  },
];
const backup: TailoredBackup = {
  manifest: { ...manifest, extensions },
  schema: { preamble: '', entries: [cron, hstore, orders, notes, view, comment] },
  unknown: [],
  warnings: [],
};
const namesIn = ({ schema }: TailoredBackup) => schema.entries.map(({ name }) => name);

test('an extension goes with its remarks and the rows of its own tables alone', () => {
  expect(lossWithout(backup, 'pg_cron')).toEqual({ definitions: [], rows: ['cron.job (3 rows)'] });
  const left = leaveOutExtensions(backup, ['pg_cron']);
  expect(namesIn(left)).toEqual(['hstore', 'orders', 'notes', 'seen']);
  expect(left.manifest).toMatchObject({ sequences: [], totals: { tables: 2, rows: 7, bytes: 7 } });
  expect(left.leftOut?.map(({ name }) => name)).toContain('job');
});

test('what depends on an extension goes with it, and what depends on that', () => {
  const left = leaveOutExtensions(backup, ['hstore']);
  expect(namesIn(left)).toEqual(['pg_cron', 'orders', 'EXTENSION pg_cron']);
  expect(left.manifest.tables.map(({ name }) => name)).toEqual(['orders', 'job']);
  expect(left.warnings).toEqual(['Extension hstore is left out, and with it TABLE public.notes, VIEW public.seen']);
});

test('of an older backup, which does not say whose they are, all tables without a definition go', () => {
  const older = { ...backup, manifest };
  const left = leaveOutExtensions(older, ['pg_cron']);
  expect(left.manifest.tables.map(({ name }) => name)).toEqual(['orders', 'notes']);
  expect(left.manifest.sequences).toEqual([]);
});
