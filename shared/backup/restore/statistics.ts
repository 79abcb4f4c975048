import type pg from 'pg';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import { isSessionLost } from '../../postgres/session-errors.ts';
import { RECORD_SCHEMA } from './restore-record.ts';
import type { ScheduledEntry } from './schedule-entries.ts';

export interface AnalyzableTable {
  schema: string;
  name: string;
  /** Whether it holds rows of its own: no partitioned table, no materialized view. */
  has_rows: boolean;
}

/**
 * Everything ANALYZE takes, the largest first. Not what has foreign tables among its partitions or children: it would go and read
 * the servers behind them.
 */
const analyzableSql = `
WITH RECURSIVE above_foreign AS (
  SELECT i.inhparent AS oid
    FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class f ON f.oid = i.inhrelid WHERE f.relkind = 'f'
   UNION
  SELECT i.inhparent FROM above_foreign a JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.oid
)
SELECT n.nspname AS schema, c.relname AS name, c.relkind = 'r' AS has_rows
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> '${RECORD_SCHEMA}'
   AND c.oid NOT IN (SELECT oid FROM above_foreign)
 ORDER BY pg_catalog.pg_relation_size(c.oid) DESC, c.oid`;

export async function listAnalyzable(client: pg.Client): Promise<AnalyzableTable[]> {
  return (await client.query<AnalyzableTable>(analyzableSql)).rows;
}

/**
 * Gives the planner its statistics before the first query comes. They are not the data: what cannot be had is a warning.
 *
 * @returns the warning, if there is one
 */
export async function analyzeTable(
  client: pg.Client,
  { schema, name }: Pick<AnalyzableTable, 'schema' | 'name'>,
): Promise<string[]> {
  const table = quoteQualified(schema, name);
  try {
    await client.query(`ANALYZE ${table}`);
    return [];
  } catch (error) {
    const { code = '', message } = error as Error & { code?: string };
    if (!/^[0-9A-Z]{5}$/.test(code) || isSessionLost(error)) throw error;
    return [`No statistics for ${table}: ${message}`];
  }
}

/** {@link analyzeTable} on several sessions at a time. */
export async function analyzeTables(
  clients: readonly pg.Client[],
  tables: readonly AnalyzableTable[],
  signal: AbortSignal,
): Promise<string[]> {
  const warnings: string[] = [];
  let next = 0;
  await Promise.all(
    clients.map(async (client) => {
      for (let table = tables[next++]; table !== undefined; table = tables[next++]) {
        signal.throwIfAborted();
        warnings.push(...(await analyzeTable(client, table)));
      }
    }),
  );
  return warnings;
}

const ANALYZE = 'ANALYZE';

export const isAnalyze = ({ type }: SchemaEntry): boolean => type === ANALYZE;

/**
 * Entries that gather the statistics of tables as soon as their rows and indexes are there, beside the others: while a foreign
 * key is checked, which holds two tables, the other sessions have something to do.
 *
 * @returns the entries, and the tables that are left for later
 */
export function scheduleAnalyze(
  tables: readonly AnalyzableTable[],
  preData: readonly SchemaEntry[],
  parallel: readonly ScheduledEntry[],
): { entries: ScheduledEntry[]; later: AnalyzableTable[] } {
  const byName = new Map(
    preData.filter(({ type }) => type === 'TABLE').map((entry) => [JSON.stringify([entry.schema, entry.name]), entry]),
  );
  const builtOn = new Map<number, number[]>();
  for (const { entry, tables: touched } of parallel) {
    if (entry.type === 'FK CONSTRAINT') continue;
    for (const table of touched) builtOn.set(table, [...(builtOn.get(table) ?? []), entry.dump_id]);
  }
  const entries: ScheduledEntry[] = [];
  const later: AnalyzableTable[] = [];
  for (const table of tables) {
    const own = byName.get(JSON.stringify([table.schema, table.name]));
    if (!own || !table.has_rows) {
      later.push(table);
      continue;
    }
    entries.push({
      // No number of pg_dump's is negative.
      entry: { ...own, dump_id: -own.dump_id, type: ANALYZE, section: 'post-data', depends_on: [], sql: '' },
      after: new Set(builtOn.get(own.dump_id)),
      tables: new Set([own.dump_id]),
      rowsOf: new Set([own.dump_id]),
      shared: false,
      weight: 0,
    });
  }
  return { entries, later };
}
