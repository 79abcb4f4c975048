import type pg from 'pg';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { PlannedTable } from '../plan/plan.ts';
import { findSampled, type SampledTable, type SampleRequest } from './graph.ts';
import { keptRowsOf } from './kept-rows.sql.ts';
import { readSampleCatalog } from './read-catalog.ts';
import { decideRules, type Rule } from './rules.ts';

export interface PlannedSample {
  /** The same tables; those of which not every row is kept say which ones are. */
  tables: PlannedTable[];
  /** OIDs of the tables that the patterns choose. */
  chosen: number[];
  warnings: string[];
}

/** Tables that one warning names at most. */
const MOST_NAMED = 20;

/**
 * Plans a smaller copy in which every foreign key is whole. About so many percent of the rows of the chosen tables are kept. Tables that
 * refer to them, directly or over others, keep the rows whose rows there are kept, so that a chosen table that refers to a chosen one
 * follows it; all other tables are whole. In a table that refers to itself, and where tables refer to each other in a circle, the rows
 * that a chosen row refers to are kept with it.
 *
 * @param client - a session in the snapshot
 * @throws OperationError as {@link findSampled}
 */
export async function planSample(
  client: pg.Client,
  request: SampleRequest,
  tables: readonly PlannedTable[],
): Promise<PlannedSample> {
  const graph = findSampled(await readSampleCatalog(client), request, tables);
  const rules = decideRules(graph.tables);
  const keptRows = keptRowsOf(rules, request.percent);
  const origins = originsOf(rules);
  const shareOf = ({ oid }: SampledTable): number =>
    (request.percent / 100) ** Math.max(1, origins.get(oid)?.size ?? 1);
  const chosen: number[] = [];
  const planned = tables.map((table): PlannedTable => {
    const sampled = graph.tableOf(table.oid);
    if (sampled?.chosen.has(table.oid)) chosen.push(table.oid);
    const rows = sampled && table.condition === null ? keptRows(sampled, table.oid) : null;
    return sampled && rows ? { ...table, kept: { ...rows, share: shareOf(sampled) } } : table;
  });
  return { tables: planned, chosen, warnings: warningsOf(rules, origins, shareOf) };
}

/** Of each sampled table, the chosen tables whose percentages its rows depend on; a circle stands for itself. */
function originsOf(rules: readonly Rule[]): Map<number, Set<unknown>> {
  const origins = new Map<number, Set<unknown>>();
  for (const { table, circle } of rules) {
    const members = circle?.members ?? [table];
    const above = members.flatMap(({ references }) =>
      references.flatMap(({ parent }) =>
        members.some(({ oid }) => oid === parent) ? [] : [...(origins.get(parent) ?? [])],
      ),
    );
    origins.set(table.oid, new Set(above.length > 0 ? above : [circle ?? table]));
  }
  return origins;
}

/** Names the tables where several percentages meet: fewer rows are left of them than is asked for. */
function warningsOf(
  rules: readonly Rule[],
  origins: ReadonlyMap<number, ReadonlySet<unknown>>,
  shareOf: (table: SampledTable) => number,
): string[] {
  const sizeOf = (oid: number): number => origins.get(oid)?.size ?? 1;
  const meeting = rules
    .map(({ table }) => table)
    .filter(({ oid, references }) => sizeOf(oid) > 1 && references.every(({ parent }) => sizeOf(parent) < sizeOf(oid)));
  if (meeting.length === 0) return [];
  const names = meeting
    .slice(0, MOST_NAMED)
    .map(
      (table) =>
        `${quoteQualified(table.schema, table.name)} (about ${Number((shareOf(table) * 100).toPrecision(2))} %)`,
    );
  const more = meeting.length > MOST_NAMED ? ', ...' : '';
  return [
    `Rows that refer to several sampled tables are kept only where all they refer to is, which leaves less than was asked for of ${names.join(', ')}${more}; to keep more, choose fewer of the tables that they refer to`,
  ];
}
