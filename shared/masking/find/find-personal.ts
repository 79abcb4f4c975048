import type pg from 'pg';
import * as z from 'zod';
import { quoteIdentifier, quoteQualified } from '../../postgres/identifiers.ts';
import { readPlannedCode } from '../../postgres/planned-code/planned-code.ts';
import { type ColumnFacts, factsOfType } from '../column.ts';
import { columnsSql } from '../plan/catalog.sql.ts';
import { type CatalogColumn, columnSchema } from '../plan/read-catalog.ts';
import { type Mask, refusalOf } from '../rules/registry.ts';
import type { Detector } from './detectors.ts';
import { partsOf } from './parts.ts';
import { suspect } from './suspect.ts';
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
/** Of documents and arrays more, as one that is cut off cannot be taken apart; in a row no more than so many of all together. */
const DOCUMENT_CHARACTERS = 10_000;
const ROW_CHARACTERS = 100_000;
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
  // Of tables on which a statement would run functions of their owners, names alone are looked at.
  const code = await readPlannedCode(client);
  let tablesLeft = 0;
  for (const { oid, share } of tables) {
    const own = (columns.get(oid) ?? []).filter((column) => !column.is_generated && mayHold(column));
    if (own.length === 0) continue;
    const values = signal.aborted || code.has(Number(oid)) ? null : await sample(client, own, share);
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
    { name: column.base_name, modifier: column.modifier, schema: column.base_schema, element: column.element },
    { ignoresCase: column.ignores_case, isKey: false, isNullable: column.is_nullable },
  );

const KINDS = new Set(['text', 'date', 'timestamp', 'json']);
function mayHold(column: CatalogColumn): boolean {
  const { kind, element } = factsOf(column);
  return KINDS.has(kind) || (element !== undefined && KINDS.has(element.kind)) || column.base_name === 'inet';
}

function holdsOthers(column: CatalogColumn): boolean {
  const { kind, element } = factsOf(column);
  return kind === 'json' || element !== undefined;
}

/** Some values of each column; null: the table could not be read in time, or at all. */
async function sample(
  client: pg.Client,
  columns: readonly CatalogColumn[],
  share: number | null,
): Promise<string[][] | null> {
  const [first] = columns;
  if (!first) return [];
  const holding = columns.filter(holdsOthers).length;
  const most = Math.min(DOCUMENT_CHARACTERS, Math.floor(ROW_CHARACTERS / Math.max(1, holding)));
  // As the type itself writes them: somebody may have made a cast to text of their own.
  const texts = columns.map(
    (each) =>
      `pg_catalog.left(pg_catalog.format('%s', ${quoteIdentifier(each.column)}), ${holdsOthers(each) ? most : VALUE_CHARACTERS})`,
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
  const facts = factsOf(column);
  const kind = facts.element ? 'array' : facts.kind;
  const suspicions = partsOf(column.column, kind, values)
    .map(({ path, name, values: own }) => ({
      path,
      sampled: own.length,
      ...suspect(
        name,
        own.map((value) => value.trim()),
      ),
    }))
    .filter(({ confidence }) => confidence >= LEAST_CONFIDENCE)
    .sort((a, b) => b.confidence - a.confidence);
  const [best] = suspicions;
  if (!best) return null;
  const { detector, confidence, sampled, path } = best;
  return {
    schema: column.schema,
    table: column.name,
    column: column.column,
    kind: detector.kind,
    confidence: Math.round(confidence * 100) / 100,
    sampled,
    mask: path === null ? fitting(detector, facts) : documentMask(suspicions),
  };
}

const fitting = ({ masks }: Detector, facts: ColumnFacts): Mask | null =>
  masks.find((each) => refusalOf(each, facts) === null) ?? null;

/** One rule for all that documents hold. */
function documentMask(suspicions: readonly { path: string | null; detector: Detector }[]): Mask {
  const paths = suspicions.flatMap(({ path, detector }) => (path === null ? [] : [[path, detector.masks[0]]]));
  return { rule: 'json', paths: Object.fromEntries(paths) };
}
