import type pg from 'pg';
import { copyOut } from '../../postgres/copy/copy-out.ts';
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../postgres/identifiers.ts';
import { readRows } from '../copy-text.ts';
import { createTableMasker } from '../table-masker.ts';
import type { CatalogColumn, Check, MaskingCatalog } from './read-catalog.ts';
import type { AppliedRules, RuleProblem } from './resolve-rules.ts';

/** Rows of a table that are masked and held against its constraints. */
export const SAMPLE_ROWS = 1000;
/** Bytes of them, at most. */
const SAMPLE_BYTES = 8 * 1_048_576;

/** Some rows of a table, as COPY text in UTF-8. */
export interface Sample {
  /** In the order of the rows' fields. */
  columns: readonly string[];
  text: Buffer;
}

/** Reads at most {@link SAMPLE_ROWS} rows of a table, with the given columns at least. */
export type ReadSample = (table: { schema: string; name: string }, columns: readonly string[]) => Promise<Sample>;

/**
 * Masks a sample of each table's rows, and has the server say whether the masked values are of the columns' types and domains and
 * pass the CHECK constraints that masked columns take part in. What cannot be shown so is a problem.
 *
 * @param client - in a transaction, with an empty search path and a statement time-out
 * @param readSample - by default, the rows come from the tables themselves
 */
export async function tryMasks(
  client: pg.Client,
  catalog: MaskingCatalog,
  applied: AppliedRules,
  {
    maskingKey,
    signal,
    readSample = (table, columns) => sampleTable(client, table, columns, signal),
  }: { maskingKey: Uint8Array; signal: AbortSignal; readSample?: ReadSample | undefined },
): Promise<RuleProblem[]> {
  const roots = new Set([...catalog.families.values()].map(({ oid }) => oid));
  const problems: RuleProblem[] = [];
  for (const [table, rules] of applied) {
    const masked = new Set(rules.map(({ column }) => column.column));
    const checks = catalog.checks.filter(
      (check) =>
        check.table === table && (roots.has(table) || !check.is_inherited) && dependsOn(check, catalog.columns, masked),
    );
    // What inherits everything is tried with what it inherits from.
    if (!roots.has(table) && checks.length === 0) continue;
    const generated = checks.filter(({ columns }) =>
      columnsOf(catalog, table, columns).some((each) => each.is_generated),
    );
    for (const { name } of generated) {
      const message = `the constraint ${name} is on a generated column that is made of it, which cannot be tried`;
      problems.push({ rule: ruleOf(rules, null), message });
    }
    const tried = checks.filter((check) => !generated.includes(check));
    const needed = new Set([...masked, ...tried.flatMap(({ columns }) => columns)]);
    const columns = columnsOf(catalog, table, needed);
    const planned = rules.map((rule) => rule.planned);
    const values = await sampleMasked(columns, planned, { maskingKey, readSample });
    for (const column of columns.filter((each) => masked.has(each.column))) {
      const state = await failureOf(client, castSql(column), [
        [...(values.get(column.column) ?? []), ...fixedValues(planned, column.column)],
      ]);
      if (state === null) continue;
      const message = `masked values are not of its type ${column.type}, or its domain's constraints refuse them (SQLSTATE ${state})`;
      problems.push({ rule: ruleOf(rules, [column.column]), message });
    }
    for (const check of tried) {
      const state = await failureOf(client, checkSql(check, columns), [
        ...columns.map(({ column }) => values.get(column) ?? []),
      ]);
      if (state === null) continue;
      const reason = state === FALSE ? 'refuses masked values' : `could not be tried (SQLSTATE ${state})`;
      problems.push({ rule: ruleOf(rules, check.columns), message: `the constraint ${check.name} ${reason}` });
    }
  }
  return problems;
}

const columnsOf = ({ columns }: MaskingCatalog, table: string, names: Iterable<string>): CatalogColumn[] => {
  const wanted = new Set(names);
  return columns.filter((column) => column.table === table && wanted.has(column.column));
};

/** Whether a constraint reads a masked column, or a generated one that is made of it. */
function dependsOn(check: Check, columns: readonly CatalogColumn[], masked: ReadonlySet<string>): boolean {
  const made = columns
    .filter(({ table, column }) => table === check.table && masked.has(column))
    .flatMap(({ generates }) => generates);
  return check.columns.some((column) => masked.has(column) || made.includes(column));
}

/** The first rule of a table that has to do with one of the columns; null: any. */
const ruleOf = (rules: readonly { rule: number; column: CatalogColumn }[], columns: readonly string[] | null): number =>
  (rules.find(({ column }) => columns?.includes(column.column)) ?? rules[0])?.rule ?? 0;

/** Masked values of some rows, by column. */
async function sampleMasked(
  columns: readonly CatalogColumn[],
  planned: Parameters<typeof createTableMasker>[1],
  { maskingKey, readSample }: { maskingKey: Uint8Array; readSample: ReadSample },
): Promise<Map<string, (string | null)[]>> {
  const [first] = columns;
  if (!first) return new Map();
  const sample = await readSample(
    first,
    columns.map(({ column }) => column),
  );
  const masker = createTableMasker(sample.columns, planned, maskingKey);
  const rows = readRows(masker?.transform(sample.text) ?? sample.text);
  const values = columns.map(({ column }): [string, (string | null)[]] => {
    const index = sample.columns.indexOf(column);
    return [column, rows.map((row) => row[index] ?? null)];
  });
  return new Map(values);
}

/** The first rows of a table. */
async function sampleTable(
  client: pg.Client,
  { schema, name }: { schema: string; name: string },
  columns: readonly string[],
  signal: AbortSignal,
): Promise<Sample> {
  const parts: Buffer[] = [];
  let bytes = 0;
  const rows = `SELECT ${columns.map(quoteIdentifier).join(', ')} FROM ${quoteQualified(schema, name)} LIMIT ${SAMPLE_ROWS}`;
  const sql = `COPY (${rows}) TO STDOUT WITH (ENCODING ${quoteLiteral('UTF8')})`;
  await copyOut(
    client,
    sql,
    async (block) => {
      bytes += block.length;
      if (bytes <= SAMPLE_BYTES) parts.push(Buffer.from(block));
    },
    { signal },
  );
  const text = Buffer.concat(parts);
  return { columns, text: text.subarray(0, text.lastIndexOf(0x0a) + 1) };
}

/** A fixed value is tried also where no row has a value yet. */
function fixedValues(planned: Parameters<typeof createTableMasker>[1], name: string): string[] {
  return planned.flatMap(({ column, mask }) => (column === name && mask.rule === 'fixed' ? [String(mask.value)] : []));
}

const castSql = ({ type }: CatalogColumn): string =>
  `SELECT pg_catalog.count(value::${type}) FROM pg_catalog.unnest($1::pg_catalog.text[]) AS given(value)`;

/** The rows under the table's own name, so that the constraint's expression reads them. */
function checkSql({ expression }: Check, columns: readonly CatalogColumn[]): string {
  const lists = columns.map((_, index) => `pg_catalog.unnest($${index + 1}::pg_catalog.text[])`).join(', ');
  const values = columns.map(({ column, type }, index) => `given.c${index}::${type} AS ${quoteIdentifier(column)}`);
  const names = columns.map((_, index) => `c${index}`).join(', ');
  return `SELECT pg_catalog.bool_and((${expression}) IS NOT FALSE) AS passed
  FROM (SELECT ${values.join(', ')} FROM ROWS FROM (${lists}) AS given(${names}) OFFSET 0) AS ${quoteIdentifier(columns[0]?.name ?? '')}`;
}

const FALSE = 'false';
/** A constraint may call a function that never ends. */
const TRIAL_MS = 10_000;

/** Why a statement fails: its SQLSTATE, or that it says no; null: it does neither. Its message could hold values. */
async function failureOf(client: pg.Client, sql: string, lists: readonly (string | null)[][]): Promise<string | null> {
  await client.query(`SAVEPOINT trial; SET LOCAL statement_timeout = ${TRIAL_MS}`);
  try {
    const { rows } = await client.query<{ passed?: boolean | null }>(sql, [...lists]);
    return rows[0]?.passed === false ? FALSE : null;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === undefined) throw error;
    return code;
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT trial').catch(() => undefined);
  }
}
