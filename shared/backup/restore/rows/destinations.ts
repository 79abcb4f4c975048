import type pg from 'pg';
import type { ErrorCode } from '../../../core/errors/catalogue.ts';
import { listed } from '../../../listed.ts';
import { quoteQualified } from '../../../postgres/identifiers.ts';
import { readPlannedCode } from '../../../postgres/planned-code/planned-code.ts';
import type { Manifest } from '../../manifest.ts';
import type { Finding } from '../findings.ts';
import { matchTypes } from './match-types.ts';
import { findRelations, fromRelation, isPartitioned, type Relation, type TableName } from './target.ts';

type Table = Manifest['tables'][number];

/** A table of the backup, and the relation that takes its rows. */
export interface Destination {
  table: Table;
  into: Relation;
}

const nameOf = ({ schema, name }: TableName): string => `${schema}.${name}`;

const KINDS: Readonly<Record<string, string>> = {
  c: 'a composite type',
  f: 'a foreign table',
  i: 'an index',
  I: 'an index',
  m: 'a materialized view',
  S: 'a sequence',
  v: 'a view',
};

export interface FoundDestinations {
  destinations: Destination[];
  /** Numbers of relations that have rows already. */
  filled: Set<string>;
}

/**
 * Finds the relations that take the tables' rows. A partition's go through the partitioned table above all, as the partitions may
 * be cut otherwise there, unless it has foreign tables among them, or rows: then a partition takes its own. A partition that is not
 * there is found by the table above it, if the backup names that.
 *
 * @param loaded - where the tables of an earlier attempt have gone, by their names as {@link quoteQualified} writes them; what has
 *   rows is then not asked for
 */
export async function findDestinations(
  client: pg.Client,
  tables: readonly Table[],
  loaded: ReadonlyMap<string, TableName> | null,
  problems: Finding[],
): Promise<FoundDestinations> {
  const own = await findRelations(client, tables);
  const rootless = tables.map(({ root }, index) => (own[index] === undefined ? root : undefined));
  const roots = await findRelations(
    client,
    rootless.map((root) => root ?? { schema: '', name: '' }),
  );
  const earlier = loaded
    ? await findRelations(
        client,
        tables.map((table) => loaded.get(quoteQualified(table.schema, table.name)) ?? table),
      )
    : [];
  const candidates = new Map<string, Relation>();
  for (const found of [...own, ...roots])
    for (const relation of [found?.relation, found?.root]) if (relation) candidates.set(relation.oid, relation);
  const filled = loaded ? new Set<string>() : await findFilled(client, [...candidates.values()]);
  const missing: string[] = [];
  const others: string[] = [];
  const destinations = tables.flatMap((table, index): Destination[] => {
    const known = earlier[index]?.relation;
    if (known) return [{ table, into: known }];
    const { relation, root } = own[index] ?? {};
    if (!relation) {
      const above = roots[index]?.relation;
      if (above && isPartitioned(above) && above.only_tables) return [{ table, into: above }];
      missing.push(nameOf(table));
      return [];
    }
    if (relation.kind !== 'r' && !isPartitioned(relation)) {
      others.push(`${nameOf(table)} (${KINDS[relation.kind] ?? 'no table'})`);
      return [];
    }
    const throughRoot = root?.only_tables && root.reachable && root.readable && !filled.has(root.oid);
    return [{ table, into: throughRoot ? root : relation }];
  });
  if (missing.length > 0) {
    problems.push({
      code: 'tables_missing',
      message: `The database does not have the tables ${listed(missing)}`,
      nextStep: 'Create them, by a restore of a schema backup or otherwise, or select other tables.',
    });
  }
  if (others.length > 0) {
    problems.push({
      code: 'not_tables',
      message: `These are no tables in the database: ${listed(others)}`,
      nextStep: 'Put tables in their place, or select other tables.',
    });
  }
  return { destinations, filled };
}

const RELATIONS_PER_QUERY = 200;

/**
 * Which relations have rows. Those that the login may not read, or that hold foreign tables, are not asked. Where asking would run functions of their
 * owners, those that have any page count as filled: they may be TRUNCATEd.
 */
async function findFilled(client: pg.Client, relations: readonly Relation[]): Promise<Set<string>> {
  let readable = relations.filter(
    ({ kind, reachable, readable, row_security, only_tables }) =>
      (kind === 'r' || (kind === 'p' && only_tables)) && reachable && readable && !row_security,
  );
  const filled = new Set<string>();
  const code = await readPlannedCode(client);
  const unasked = readable.filter(({ oid }) => code.has(Number(oid)));
  const { rows: sizes } = await client.query<{ oid: string }>(
    `SELECT given.oid::text AS oid FROM pg_catalog.unnest($1::oid[]) AS given (oid)
      WHERE EXISTS (SELECT FROM (SELECT given.oid AS member UNION ALL SELECT t.relid FROM pg_catalog.pg_partition_tree(given.oid) t) AS members
                     WHERE pg_catalog.pg_relation_size(members.member) > 0)`,
    [unasked.map(({ oid }) => oid)],
  );
  for (const { oid } of sizes) filled.add(oid);
  readable = readable.filter(({ oid }) => !code.has(Number(oid)));
  for (let start = 0; start < readable.length; start += RELATIONS_PER_QUERY) {
    const parts = readable
      .slice(start, start + RELATIONS_PER_QUERY)
      .map((relation) => `SELECT '${relation.oid}' AS oid WHERE EXISTS (SELECT FROM ${fromRelation(relation)})`);
    const { rows } = await client.query<{ oid: string }>(parts.join('\nUNION ALL\n'));
    for (const { oid } of rows) filled.add(oid);
  }
  return filled;
}

/** Holds the tables of the backup against the relations that are to take their rows. */
export function checkDestinations(
  { destinations, filled }: FoundDestinations,
  problems: Finding[],
  warnings: Finding[],
): void {
  const found = {
    filled: new Set<string>(),
    refused: new Set<string>(),
    secured: new Set<string>(),
    absent: [] as string[],
    types: [] as string[],
    wider: [] as string[],
    generated: [] as string[],
    required: new Set<string>(),
    untyped: [] as string[],
  };
  for (const { table, into } of destinations) {
    const name = nameOf(into);
    if (filled.has(into.oid)) found.filled.add(name);
    if (into.row_security) found.secured.add(name);
    const columns = new Map(into.columns.map((column) => [column.name, column]));
    const wanted = table.columns.flatMap((column) => columns.get(column) ?? []);
    const mayInsert = wanted.every(({ insertable }) => insertable);
    if (!into.reachable || !into.readable || !mayInsert || !(into.truncatable || into.deletable)) {
      found.refused.add(name);
    }
    const given = new Set(table.columns);
    table.columns.forEach((column, index) => {
      const to = columns.get(column);
      if (!to) found.absent.push(`${name}.${column}`);
      else if (to.generated) found.generated.push(`${name}.${column}`);
      else compareTypes(`${name}.${column}`, table.types?.[index], to, found);
    });
    if (!table.types) found.untyped.push(name);
    for (const { name: column, required } of into.columns) {
      if (required && !given.has(column)) found.required.add(`${name}.${column}`);
    }
    // COPY without a list of columns, as of a table that has none, means all of them.
    if (table.columns.length === 0 && into.columns.some(({ generated }) => !generated)) found.absent.push(`${name}.*`);
  }
  const add = (
    to: Finding[],
    code: ErrorCode,
    names: Iterable<string>,
    message: (list: string) => string,
    nextStep: string,
  ) => {
    const all = [...names];
    if (all.length > 0) to.push({ code, message: message(listed(all)), nextStep });
  };
  add(
    problems,
    'tables_not_empty',
    found.filled,
    (list) => `These tables have rows already, and a restore overwrites none: ${list}`,
    'Empty them, or select other tables.',
  );
  add(
    problems,
    'rights_missing',
    found.refused,
    (list) => `The login may not insert into these tables, read them and empty them again: ${list}`,
    'GRANT SELECT, INSERT, TRUNCATE on them, and USAGE on their schemas, to the login.',
  );
  add(
    problems,
    'row_security',
    found.secured,
    (list) => `Row security holds for the login in ${list}, and COPY does not go with it`,
    'ALTER ROLE ... BYPASSRLS, or restore as the owner of the tables (without FORCE ROW LEVEL SECURITY).',
  );
  add(
    problems,
    'columns_missing',
    found.absent,
    (list) => `The backup has columns that the tables do not have: ${list}`,
    'Add them.',
  );
  add(
    problems,
    'column_types',
    found.types,
    (list) => `These columns are of other types than in the backup: ${list}`,
    'Change their types, load, and change them back.',
  );
  add(
    problems,
    'columns_generated',
    found.generated,
    (list) => `These columns are generated, and the backup has values for them: ${list}`,
    'Make them plain columns (ALTER TABLE ... DROP EXPRESSION).',
  );
  add(
    problems,
    'columns_required',
    found.required,
    (list) => `These columns need a value, and the backup has none: ${list}`,
    'Give them a default, or drop their NOT NULL.',
  );
  add(
    warnings,
    'types_wider',
    found.wider,
    (list) => `These columns are of wider types than in the backup: ${list}`,
    'Nothing, if that is as it should be.',
  );
  add(
    warnings,
    'types_unknown',
    found.untyped,
    (list) => `The backup is older and does not say of which types the columns are: ${list}`,
    'Compare them yourself; what a type cannot read is refused when it is loaded.',
  );
}

function compareTypes(
  name: string,
  from: string | undefined,
  to: { type: string; base: string | null },
  found: { types: string[]; wider: string[] },
): void {
  if (from === undefined) return;
  const match = matchTypes(from, to.type);
  const ofBase = to.base === null ? 'other' : matchTypes(from, to.base);
  if (match === 'same') return;
  // A domain reads what its type reads, and refuses what its constraints refuse.
  const list = match === 'wider' || ofBase !== 'other' ? found.wider : found.types;
  list.push(`${name} (${from} in the backup, here ${to.type})`);
}
