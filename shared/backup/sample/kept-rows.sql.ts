import { quoteIdentifier } from '../../postgres/identifiers.ts';
import { circleSql } from './circle.sql.ts';
import type { SampledTable } from './graph.ts';
import { conjunction, fromTable, type OwnRows, ownRows } from './own-rows.sql.ts';
import type { Circle, Rule } from './rules.ts';

/** What a SELECT of a table's kept rows has beside its columns; the table is named `t` in it. */
export interface KeptRows {
  /** `WITH ...`, or empty. */
  before: string;
  /** Joins. */
  joins: string;
  /** Without WHERE; never empty. */
  condition: string;
}

/** A part of a statement, with the names of the WITH queries that it needs. */
interface Part {
  joins: string[];
  conditions: string[];
  needs: string[];
}

/** A WITH query. */
interface Query {
  text: string;
  needs: readonly string[];
}

const keptName = (oid: number): string => `kept_${oid}`;

/**
 * Says how the kept rows of sampled tables are selected.
 *
 * What a row refers to is looked up in a WITH query for each table, so that the statement grows with the number of tables above it, not
 * with the number of ways that lead to them. The server puts those that are used once into the place where they are used, and can take its
 * indexes there; the others it computes once a statement.
 *
 * @param rules - in an order in which each comes after those that it needs
 */
export function keptRowsOf(
  rules: readonly Rule[],
  percent: number,
): (table: SampledTable, leaf: number) => KeptRows | null {
  const queries = new Map<string, Query>();
  const byTable = new Map(rules.map((rule) => [rule.table.oid, rule]));
  const circles = new Map<Circle, string>();
  const context = { percent, keptName };

  const referenced = referencedColumns(rules);
  for (const { table, circle } of rules) {
    if (circle && !circles.has(circle)) {
      const name = `circle_${circles.size + 1}`;
      circles.set(circle, name);
      for (const { name: each, ...query } of circleSql(name, circle, context)) queries.set(each, query);
    }
    const columns = referenced.get(table.oid);
    if (!columns) continue;
    const { joins, conditions, needs } =
      ofCircle(circle, null) ?? allOf(ownRows(table, table.references, null, context));
    const list = [...columns].map((column) => `t.${quoteIdentifier(column)}`);
    const text = `${keptName(table.oid)} AS (
  SELECT ${[...list, 't.tableoid'].join(', ')} FROM ${[fromTable(table, 't'), ...joins].join(' ')} WHERE ${conjunction(conditions)})`;
    queries.set(keptName(table.oid), { text, needs });
  }

  return ({ oid }, leaf) => {
    const rule = byTable.get(oid);
    if (!rule) return null;
    const part = ofCircle(rule.circle, leaf) ?? allOf(ownRows(rule.table, rule.table.references, leaf, context));
    if (part.conditions.length === 0) return null;
    const needed = needsOf(part.needs, queries);
    return {
      before: needed.length > 0 ? `WITH RECURSIVE ${needed.join(',\n')}\n` : '',
      joins: part.joins.join(' '),
      condition: conjunction(part.conditions),
    };
  };

  /** The rows that a circle has found, by where they lie. */
  function ofCircle(circle: Circle | null, leaf: number | null): Part | null {
    const name = circle && circles.get(circle);
    if (!name) return null;
    return {
      joins: [`JOIN ${name} c ON t.ctid = c.place::pg_catalog.tid`],
      conditions: [`c.relation = ${leaf === null ? 't.tableoid' : `${leaf}::oid`}`],
      needs: [name],
    };
  }
}

const allOf = ({ joins, whole, chosen, needs }: OwnRows): Part => ({
  joins,
  conditions: [...whole, ...(chosen === null ? [] : [chosen])],
  needs,
});

/** Of each table, the columns that foreign keys of others refer to. */
function referencedColumns(rules: readonly Rule[]): Map<number, Set<string>> {
  const columns = new Map<number, Set<string>>();
  for (const { table } of rules) {
    for (const { parent, columns: pairs } of table.references) {
      const known = columns.get(parent) ?? new Set();
      for (const pair of pairs) known.add(pair.parent);
      columns.set(parent, known);
    }
  }
  return columns;
}

/** The texts of the given queries and of all that they need, in the order in which they were made. */
function needsOf(names: readonly string[], queries: ReadonlyMap<string, Query>): string[] {
  const wanted = new Set(names);
  // A set goes on with what is added to it meanwhile.
  for (const name of wanted) for (const need of queries.get(name)?.needs ?? []) wanted.add(need);
  return [...queries].filter(([name]) => wanted.has(name)).map(([, { text }]) => text);
}
