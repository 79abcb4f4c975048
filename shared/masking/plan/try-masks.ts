import type pg from 'pg';
import { listed } from '../../listed.ts';
import { copyOut } from '../../postgres/copy/copy-out.ts';
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../../postgres/identifiers.ts';
import { readPlannedCode } from '../../postgres/planned-code/planned-code.ts';
import { readRows } from '../copy-text.ts';
import { isShuffle } from '../rules/registry.ts';
import { createTableMasker } from '../table-masker.ts';
import { calledBy, notImmutableSql } from './own-expression.ts';
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
 * Masks a sample of each table's rows, and has the server say whether the masked values are of the columns' types, and pass the constraints
 * of domains and the CHECK constraints that masked columns take part in. What cannot be shown so is a problem.
 *
 * Nothing that somebody else wrote is run: values are tried as types of the server's own, and only expressions of the
 * server's own immutable functions are asked for. What calls others, or has another type, is not tried, and a warning names it.
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
    readSample,
  }: { maskingKey: Uint8Array; signal: AbortSignal; readSample?: ReadSample | undefined },
): Promise<{ problems: RuleProblem[]; warnings: string[] }> {
  const roots = new Set([...catalog.families.values()].map(({ oid }) => oid));
  const isOwn = await ownExpressions(client, catalog);
  const code = readSample ? new Map<number, string>() : await readPlannedCode(client);
  const read = readSample ?? ((table, columns) => sampleTable(client, table, columns, signal));
  const problems: RuleProblem[] = [];
  const untried = new Set<string>();
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
    const isTried = (check: Check): boolean =>
      isOwn(check.tree) && columnsOf(catalog, table, check.columns).every(({ own_type }) => own_type !== null);
    const others = checks.filter((check) => !generated.includes(check));
    const tried = others.filter(isTried);
    const needed = new Set([...masked, ...tried.flatMap(({ columns }) => columns)]);
    const columns = columnsOf(catalog, table, needed);
    const place = quoteQualified(columns[0]?.schema ?? '', columns[0]?.name ?? '');
    for (const { name } of others.filter((check) => !isTried(check))) untried.add(`the constraint ${name} of ${place}`);
    const planned = rules.map((rule) => rule.planned);
    const why = code.get(Number(table));
    if (why !== undefined) untried.add(`the rows of ${place}, where ${why}`);
    const values =
      why === undefined
        ? await sampleMasked(columns, planned, { maskingKey, readSample: read })
        : new Map<string, (string | null)[]>();
    for (const column of columns.filter((each) => masked.has(each.column))) {
      const mask = planned.find((each) => each.column === column.column)?.mask;
      // Values of other rows have passed it all.
      if (!mask || isShuffle(mask)) continue;
      const given = [...(values.get(column.column) ?? []), ...fixedValues(planned, column.column)];
      const state = await typeFailure(client, column, given);
      if (state === UNTRIED && mask.rule !== 'null') untried.add(`the type of ${place}.${column.column}`);
      const refused = state !== null && state !== UNTRIED ? state : null;
      const failed = refused ?? (await domainFailure(client, column, { given, isOwn, untried, place }));
      if (failed === null) continue;
      const message = `masked values are not of its type ${column.type}, or its domain's constraints refuse them (SQLSTATE ${failed})`;
      problems.push({ rule: ruleOf(rules, [column.column]), message });
    }
    for (const check of tried) {
      const own = columnsOf(catalog, table, new Set([...check.columns]));
      const state = await failureOf(client, checkSql(check, own), [
        ...own.map(({ column }) => values.get(column) ?? []),
      ]);
      if (state === null) continue;
      const reason = state === FALSE ? 'refuses masked values' : `could not be tried (SQLSTATE ${state})`;
      problems.push({ rule: ruleOf(rules, check.columns), message: `the constraint ${check.name} ${reason}` });
    }
  }
  return { problems, warnings: untried.size === 0 ? [] : [notTried([...untried])] };
}

const notTried = (names: readonly string[]): string =>
  `Whether they take masked values was not tried, as that would run functions of the owners of the database with the rights of this system: ${listed(names)}. A restore shows it`;

/** Tells of the constraints in a catalog, by their trees, which of them are made of the server's own immutable functions alone. */
async function ownExpressions(
  client: pg.Client,
  { checks, columns }: MaskingCatalog,
): Promise<(tree: string) => boolean> {
  const trees = new Set([...checks, ...columns.flatMap(({ domain_checks }) => domain_checks)].map(({ tree }) => tree));
  const calls = new Map([...trees].map((tree) => [tree, calledBy(tree)]));
  const all = [...calls.values()].filter((each) => each !== null);
  const { rows } = await client.query<{ functions: string[] | null; operators: (string | null)[] | null }>(
    notImmutableSql,
    [all.flatMap(({ functions }) => functions), all.flatMap(({ operators }) => operators)],
  );
  const others = new Set([
    ...(rows[0]?.functions ?? []).map((oid) => `f${oid}`),
    ...(rows[0]?.operators ?? []).map((oid) => `o${oid}`),
  ]);
  return (tree) => {
    const called = calls.get(tree);
    if (!called) return false;
    return ![...called.functions.map((oid) => `f${oid}`), ...called.operators.map((oid) => `o${oid}`)].some((each) =>
      others.has(each),
    );
  };
}

/** Neither yes nor no. */
const UNTRIED = 'not tried';
/** What the server says of a value that is of no type, or that a domain refuses. */
const INVALID_TEXT = '22P02';
const CHECK_VIOLATION = '23514';

/** Why values are not of a column's base type: an SQLSTATE; null: they are. */
async function typeFailure(
  client: pg.Client,
  { own_type: type, labels }: CatalogColumn,
  values: readonly (string | null)[],
): Promise<string | null> {
  if (labels.length > 0) return values.every((value) => value === null || labels.includes(value)) ? null : INVALID_TEXT;
  return type === null ? UNTRIED : failureOf(client, castSql(type), [values]);
}

/** Why the domains of a column refuse values: an SQLSTATE; null: those that were tried do not. */
async function domainFailure(
  client: pg.Client,
  { column, own_type: type, domain_checks: checks }: CatalogColumn,
  {
    given,
    isOwn,
    untried,
    place,
  }: {
    given: readonly (string | null)[];
    isOwn: (tree: string) => boolean;
    untried: Set<string>;
    place: string;
  },
): Promise<string | null> {
  for (const { name, expression, tree } of checks) {
    if (type === null || !isOwn(tree)) {
      untried.add(`the constraint ${name} of the domain of ${place}.${column}`);
      continue;
    }
    const state = await failureOf(client, domainCheckSql(type, expression), [given]);
    if (state !== null) return state === FALSE ? CHECK_VIOLATION : state;
  }
  return null;
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

const castSql = (type: string): string =>
  `SELECT pg_catalog.count(value::${type}) FROM pg_catalog.unnest($1::pg_catalog.text[]) AS given(value)`;

/** The expression reads VALUE, which is the name of a column here. */
const domainCheckSql = (type: string, expression: string): string =>
  `SELECT pg_catalog.bool_and((${expression}) IS NOT FALSE) AS passed
  FROM (SELECT given.text::${type} AS value FROM pg_catalog.unnest($1::pg_catalog.text[]) AS given(text) OFFSET 0) AS given`;

/** The rows under the table's own name, so that the constraint's expression reads them. */
function checkSql({ expression }: Check, columns: readonly CatalogColumn[]): string {
  const lists = columns.map((_, index) => `pg_catalog.unnest($${index + 1}::pg_catalog.text[])`).join(', ');
  const values = columns.map(
    ({ column, own_type }, index) => `given.c${index}::${own_type} AS ${quoteIdentifier(column)}`,
  );
  const names = columns.map((_, index) => `c${index}`).join(', ');
  return `SELECT pg_catalog.bool_and((${expression}) IS NOT FALSE) AS passed
  FROM (SELECT ${values.join(', ')} FROM ROWS FROM (${lists}) AS given(${names}) OFFSET 0) AS ${quoteIdentifier(columns[0]?.name ?? '')}`;
}

const FALSE = 'false';
/** A regular expression may take very long. */
const TRIAL_MS = 10_000;

/** Why a statement fails: its SQLSTATE, or that it says no; null: it does neither. Its message could hold values. */
async function failureOf(
  client: pg.Client,
  sql: string,
  lists: readonly (readonly (string | null)[])[],
): Promise<string | null> {
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
