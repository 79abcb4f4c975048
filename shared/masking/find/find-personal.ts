import type pg from 'pg';
import { z } from 'zod';
import { quoteIdentifier, quoteQualified } from '../../postgres/identifiers.ts';
import { type ColumnFacts, factsOfType } from '../column.ts';
import { columnsSql } from '../plan/catalog.sql.ts';
import { type CatalogColumn, columnSchema } from '../plan/read-catalog.ts';
import { type Mask, refusalOf } from '../rules/registry.ts';
import { type Detector, detectors } from './detectors.ts';
import { tablesSql } from './tables.sql.ts';

/** A column that holds personal data, as far as its name and some of its values tell. It holds no value. */
export interface Finding {
  schema: string;
  table: string;
  column: string;
  kind: string;
  /** From 0 to 1. */
  confidence: number;
  /** Values that were looked at. */
  sampled: number;
  /** null: no rule fits the column's type. */
  mask: Mask | null;
}

export interface Found {
  findings: Finding[];
  tables: number;
  /** Of which nothing is known: there was no time, or they could not be read. */
  tablesLeft: number;
}

const MOST_TABLES = 2000;
const SAMPLE_ROWS = 300;
/** Pages of a large table that are read, about. */
const SAMPLE_PAGES = 100;
const VALUE_CHARACTERS = 200;
const STATEMENT_MS = 3000;
/** Below it, nothing is worth a proposal. */
const LEAST_CONFIDENCE = 0.3;

const tableSchema = z.object({ oid: z.string(), share: z.number().nullable() });

/**
 * Looks for personal data by the names of columns and some hundred rows of each table.
 *
 * @param client - in a read-only transaction with an empty search path
 * @param signal - ends it; what is found until then is the answer
 */
export async function findPersonal(client: pg.Client, signal: AbortSignal): Promise<Found> {
  await client.query(`SET LOCAL statement_timeout = ${STATEMENT_MS}`);
  const tables = z.array(tableSchema).parse((await client.query(tablesSql, [SAMPLE_PAGES, MOST_TABLES])).rows);
  const { rows } = await client.query(columnsSql, [tables.map(({ oid }) => oid)]);
  const columns = Map.groupBy(z.array(columnSchema).parse(rows), ({ table }) => table);
  const findings: Finding[] = [];
  let tablesLeft = 0;
  for (const { oid, share } of tables) {
    const own = (columns.get(oid) ?? []).filter((column) => !column.is_generated && mayHold(column));
    if (own.length === 0) continue;
    const values = signal.aborted ? null : await sample(client, own, share);
    if (values === null) tablesLeft += 1;
    for (const [index, column] of own.entries()) {
      const found = judge(column, values?.[index] ?? []);
      if (found) findings.push(found);
    }
  }
  findings.sort((a, b) => b.confidence - a.confidence);
  return { findings, tables: tables.length, tablesLeft };
}

const factsOf = (column: CatalogColumn): ColumnFacts =>
  factsOfType(
    { name: column.base_name, modifier: column.modifier, schema: column.base_schema },
    { ignoresCase: column.ignores_case, isKey: false, isNullable: column.is_nullable },
  );

const KINDS = new Set(['text', 'date', 'timestamp']);
const mayHold = (column: CatalogColumn): boolean => KINDS.has(factsOf(column).kind) || column.base_name === 'inet';

/** Some values of each column; null: the table could not be read in time, or at all. */
async function sample(
  client: pg.Client,
  columns: readonly CatalogColumn[],
  share: number | null,
): Promise<string[][] | null> {
  const [first] = columns;
  if (!first) return [];
  const texts = columns.map(
    ({ column }) => `pg_catalog.left(${quoteIdentifier(column)}::pg_catalog.text, ${VALUE_CHARACTERS})`,
  );
  const part = share === null ? '' : ` TABLESAMPLE SYSTEM (${share.toFixed(6)})`;
  const sql = `SELECT ${texts.join(', ')} FROM ${quoteQualified(first.schema, first.name)}${part} LIMIT ${SAMPLE_ROWS}`;
  await client.query('SAVEPOINT sample');
  try {
    const { rows } = await client.query<(string | null)[]>({ text: sql, rowMode: 'array' });
    return columns.map((_, index) => rows.flatMap((row) => row[index]?.trim() || []));
  } catch (error) {
    if ((error as { code?: string }).code === undefined) throw error;
    return null;
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT sample').catch(() => undefined);
  }
}

/** What a column most probably holds; null: nothing personal, as far as one can tell. */
export function judge(column: CatalogColumn, values: readonly string[]): Finding | null {
  const [best] = detectors
    .map((detector) => ({ detector, confidence: confidenceOf(detector, column.column, values) }))
    .sort((a, b) => b.confidence - a.confidence);
  if (!best || best.confidence < LEAST_CONFIDENCE) return null;
  const facts = factsOf(column);
  const mask = best.detector.masks.find((each) => refusalOf(each, facts) === null) ?? null;
  return {
    schema: column.schema,
    table: column.name,
    column: column.column,
    kind: best.detector.kind,
    confidence: Math.round(best.confidence * 100) / 100,
    sampled: values.length,
    mask,
  };
}

/**
 * Name and values as two witnesses that may each be wrong: 1 - (1 - name)(1 - values). Values of another kind speak against the name,
 * by as many as there are.
 */
function confidenceOf(
  { name, isOne, weight, nameWeight }: Detector,
  column: string,
  values: readonly string[],
): number {
  const share = values.length === 0 ? null : values.filter(isOne).length / values.length;
  const byName = name.test(column) ? nameWeight * (share === null ? 1 : 0.4 + 0.6 * share) : 0;
  // A value here and there is chance.
  const byValues = share === null || share < 0.1 ? 0 : weight * share;
  return 1 - (1 - byName) * (1 - byValues);
}
