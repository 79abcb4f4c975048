import { expect, test } from 'vitest';
import { adaptToVersion, unsupportedEntries } from '../../../shared/backup/restore/newer-features.ts';
import type { SchemaEntry } from '../../../shared/postgres/pg-dump/schema-dump.ts';

const entry = (type: string, sql: string): SchemaEntry => ({
  dump_id: 1,
  class_id: 0,
  oid: 0,
  depends_on: [],
  section: 'pre-data',
  type,
  schema: 'public',
  name: 'named',
  owner: 'postgres',
  sql,
});

/** As pg_dump 18 writes them. */
const newer: readonly [since: number, type: string, sql: string][] = [
  [14, 'FUNCTION', 'CREATE FUNCTION public.f(n integer) RETURNS integer\n    LANGUAGE sql\n    RETURN (n + 1);\n'],
  [
    14,
    'FUNCTION',
    'CREATE FUNCTION public.f(n integer) RETURNS integer\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT (f.n + 2);\nEND;\n',
  ],
  [
    14,
    'TABLE',
    'CREATE TABLE public.t (\n    t text\n);\nALTER TABLE ONLY public.t ALTER COLUMN t SET COMPRESSION pglz;\n',
  ],
  [14, 'TABLE', 'CREATE TABLE public.t (\n    r int4multirange\n);\n'],
  [14, 'STATISTICS', 'CREATE STATISTICS public.s ON lower(t), (n % 5) FROM public.t;\n'],
  [15, 'TABLE', 'CREATE TABLE public.t (\n    n numeric(5,-2)\n);\n'],
  [15, 'VIEW', "CREATE VIEW public.v WITH (security_invoker='true') AS\n SELECT 1 AS n;\n"],
  [
    15,
    'FK CONSTRAINT',
    'ALTER TABLE ONLY public.a\n    ADD CONSTRAINT b FOREIGN KEY (n, m) REFERENCES public.c(n, m) ON DELETE SET NULL (m);\n',
  ],
];

test.each(newer)('what came with %i is named: %s %s', (since, type, sql) => {
  expect(unsupportedEntries([entry(type, sql)], (since - 1) * 10_000)).toMatchObject([{ since }]);
  expect(unsupportedEntries([entry(type, sql)], since * 10_000)).toEqual([]);
});

test.each([
  ['FUNCTION', 'CREATE FUNCTION public.f(return integer) RETURNS integer\n    LANGUAGE sql\n    AS $$ SELECT 1 $$;\n'],
  ['FUNCTION', "CREATE FUNCTION public.f() RETURNS text\n    LANGUAGE sql\n    AS 'begin atomic; return (1)';\n"],
  ['TABLE', "CREATE TABLE public.t (\n    t text DEFAULT 'int4multirange set compression numeric(5,-2)'\n);\n"],
  ['TABLE', 'CREATE TABLE public.t (\n    "int4multirange" numeric(5,2)\n);\n'],
  ['STATISTICS', 'CREATE STATISTICS public.s (ndistinct) ON a, b FROM public.t;\n'],
  ['FK CONSTRAINT', 'ALTER TABLE ONLY public.a ADD CONSTRAINT b FOREIGN KEY (n) REFERENCES c(n) ON DELETE SET NULL;\n'],
])('what only looks like it is not: %s %s', (type, sql) => {
  expect(unsupportedEntries([entry(type, sql)], 130_000)).toEqual([]);
});

test.each([
  [
    '    subtype = double precision,\n    multirange_type_name = types.float_span_multirange,\n    subtype_diff = float8mi\n',
  ],
  [
    '    subtype = double precision,\n    multirange_type_name = types."multi, ""of"" spans",\n    subtype_diff = float8mi\n',
  ],
])('PostgreSQL 13 gets a range type without the name of its multirange type: %s', (lines) => {
  const sql = `CREATE TYPE types.span AS RANGE (\n${lines});\n`;
  const adapt = (version: number) =>
    adaptToVersion({ preamble: '', entries: [entry('TYPE', sql)] }, version).schema.entries[0]?.sql;
  expect(adapt(130_023)).toBe(
    'CREATE TYPE types.span AS RANGE (\n    subtype = double precision,\n    subtype_diff = float8mi\n);\n',
  );
  expect(adapt(140_000)).toBe(sql);
});
