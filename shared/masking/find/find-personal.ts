import type pg from 'pg';
import * as z from 'zod';
import { quoteIdentifier, quoteQualified } from '../../postgres/identifiers.ts';
import { readPlannedCode } from '../../postgres/planned-code/planned-code.ts';
import { type ColumnFacts, factsOfType, type TypeKind } from '../column.ts';
import { columnsSql } from '../plan/catalog.sql.ts';
import { type CatalogColumn, columnSchema } from '../plan/read-catalog.ts';
import { type Mask, refusalOf } from '../rules/registry.ts';
import { contextOf, type TableContext, UNKNOWN_CONTEXT } from './about-people.ts';
import { wordsOf } from './column-name.ts';
import { type Detector, detectors } from './detectors.ts';
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
  /** Rules that fit the column's type and length, the best first. */
  masks: Mask[];
}

export interface Found {
  /** The surest first. */
  findings: Finding[];
  /** Findings beyond those that an answer holds. */
  findingsLeft: number;
  tables: number;
  /** Of which no values were looked at, or not even names: there was no time, or they could not be read. */
  tablesLeft: number;
}

/** PostgreSQL takes many more; nobody reads what is found in them. */
const MOST_TABLES = 100_000;
/** Tables whose columns are read from the catalog at a time. */
const TABLES_AT_A_TIME = 250;
/** What an answer can hold. */
const MOST_FINDINGS = 5000;
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
 * Looks for personal data by the names of tables and columns and some hundred rows of each table.
 *
 * @param client - in a read-only transaction with an empty search path
 * @param signal - ends the reading of rows; of the tables that are left, names alone speak
 * @param end - ends the reading of names too
 */
export async function findPersonal(client: pg.Client, signal: AbortSignal, end?: AbortSignal): Promise<Found> {
  await client.query(`SET LOCAL statement_timeout = ${STATEMENT_MS}`);
  const tables = z.array(tableSchema).parse((await client.query(tablesSql, [SAMPLE_PAGES, MOST_TABLES])).rows);
  const findings: Finding[] = [];
  // Of tables on which a statement would run functions of their owners, names alone are looked at.
  const code = await attempt(client, () => readPlannedCode(client));
  let tablesLeft = 0;
  for (let from = 0; from < tables.length; from += TABLES_AT_A_TIME) {
    const some = tables.slice(from, from + TABLES_AT_A_TIME);
    const columns = end?.aborted ? null : await columnsOf(client, some);
    if (columns === null) {
      tablesLeft += some.length;
      continue;
    }
    for (const { oid, share } of some) {
      const all = columns.get(oid) ?? [];
      const own = all.filter((column) => !column.is_generated && mayHold(column));
      const [first] = own;
      if (!first) continue;
      const context = contextOf(
        first.name,
        all.map(({ column }) => column),
      );
      const isRead = !signal.aborted && code !== null && !code.has(Number(oid));
      const values = isRead ? await sample(client, own, share) : null;
      if (values === null) tablesLeft += 1;
      for (const [index, column] of own.entries()) {
        const found = judge(column, values?.[index] ?? [], context);
        if (found) findings.push(found);
      }
    }
  }
  findings.sort((a, b) => b.confidence - a.confidence);
  const findingsLeft = Math.max(0, findings.length - MOST_FINDINGS);
  return { findings: findings.slice(0, MOST_FINDINGS), findingsLeft, tables: tables.length, tablesLeft };
}

/** The columns of some tables by the tables' OIDs; null: the server was too slow to say. */
async function columnsOf(
  client: pg.Client,
  tables: readonly { oid: string }[],
): Promise<Map<string, CatalogColumn[]> | null> {
  const rows = await attempt(client, () => client.query(columnsSql, [tables.map(({ oid }) => oid)]));
  return rows && Map.groupBy(z.array(columnSchema).parse(rows.rows), ({ table }) => table);
}

/** What the server refuses, or does not do in time, costs its own answer alone: null. */
async function attempt<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result | null> {
  await client.query('SAVEPOINT attempt');
  try {
    return await work();
  } catch (error) {
    if ((error as { code?: string }).code === undefined) throw error;
    return null;
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT attempt').catch(() => undefined);
  }
}

const factsOf = (column: CatalogColumn): ColumnFacts =>
  factsOfType(
    { name: column.base_name, modifier: column.modifier, schema: column.base_schema, element: column.element },
    { ignoresCase: column.ignores_case, isKey: false, isNullable: column.is_nullable },
  );

const isXml = ({ base_name, base_schema }: CatalogColumn): boolean =>
  base_name === 'xml' && base_schema === 'pg_catalog';

const KINDS = new Set<TypeKind>([
  'json',
  ...detectors.flatMap(({ types }) => types.filter((type) => type !== 'other')),
]);
function mayHold(column: CatalogColumn): boolean {
  const { kind, element } = factsOf(column);
  return KINDS.has(element?.kind ?? kind) || column.base_name === 'inet' || isXml(column);
}

function holdsOthers(column: CatalogColumn): boolean {
  const { kind, element } = factsOf(column);
  return kind === 'json' || element !== undefined || isXml(column);
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
  const read = await attempt(client, () => client.query<(string | null)[]>({ text: sql, rowMode: 'array' }));
  return read && columns.map((_, index) => read.rows.flatMap((row) => row[index]?.trim() || []));
}

/** What a column most probably holds; null: nothing personal, as far as one can tell. */
export function judge(
  column: CatalogColumn,
  values: readonly string[],
  context: TableContext = UNKNOWN_CONTEXT,
): Finding | null {
  const facts = factsOf(column);
  const kind = facts.element ? 'array' : isXml(column) ? 'xml' : facts.kind;
  const suspicions = partsOf(column.column, kind, values)
    .map(({ path, name, values: own }) => ({
      path,
      sampled: own.length,
      ...suspect({
        name,
        // What is within documents and arrays is text.
        type: path === null && !facts.element && kind !== 'xml' ? facts.kind : 'text',
        values: own.map((value) => value.trim()),
        context: path === null ? context : withinDocument(name, context),
      }),
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
    masks:
      kind === 'xml'
        ? asXml.filter((mask) => refusalOf(mask, facts) === null)
        : path === null
          ? detector.masks(wordsOf(column.column)).filter((mask) => refusalOf(mask, facts) === null)
          : [documentMask(suspicions), ...emptyDocument.filter((mask) => refusalOf(mask, facts) === null)],
  };
}

/** A member `name` of a document says nothing of what the table is about. */
const withinDocument = (name: string, context: TableContext): TableContext =>
  /^name$/i.test(name) ? { ...context, people: false } : context;

/** No rule works within XML. */
const asXml: readonly Mask[] = [{ rule: 'null' }, { rule: 'fixed', value: '<masked/>' }];
const emptyDocument: readonly Mask[] = [{ rule: 'null' }, { rule: 'fixed', value: '{}' }];

/** One rule for all that documents hold. */
function documentMask(suspicions: readonly { path: string | null; detector: Detector }[]): Mask {
  const paths = suspicions.flatMap(({ path, detector }) =>
    path === null ? [] : [[path, detector.masks(wordsOf(path.split('.').at(-1) ?? ''))[0]]],
  );
  return { rule: 'json', paths: Object.fromEntries(paths) };
}
