import type pg from 'pg';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import type { Manifest } from '../manifest.ts';
import { entryQueue, type ScheduledEntry } from './schedule-entries.ts';
import { createEntry } from './schema-entry.ts';

/**
 * Builds indexes, keys, triggers, policies and the like on several sessions at a time.
 *
 * @returns warnings about owners and privileges that could not be set
 */
export async function createEntriesInParallel(
  clients: readonly pg.Client[],
  entries: readonly ScheduledEntry[],
  signal: AbortSignal,
): Promise<string[]> {
  const queue = entryQueue(entries);
  const warnings: string[] = [];
  const idle = [...clients];
  let failure: { error: unknown } | undefined;

  await new Promise<void>((resolve) => {
    const begin = (): void => {
      while (idle.length > 0 && !failure && !signal.aborted) {
        const scheduled = queue.take();
        if (!scheduled) break;
        const client = idle.pop();
        if (!client) break;
        createEntry(client, scheduled.entry)
          .then((found) => warnings.push(...found))
          .catch((error: unknown) => {
            failure ??= { error };
          })
          .finally(() => {
            queue.done(scheduled);
            idle.push(client);
            begin();
          });
      }
      if (idle.length !== clients.length) return;
      // Nobody works and nothing can begin: done, failed, or a circle of dependencies, which pg_dump never writes.
      if (queue.remaining > 0)
        failure ??= { error: signal.reason ?? new Error('The schema entries depend on each other in a circle') };
      resolve();
    };
    begin();
  });
  if (failure) throw (failure as { error: unknown }).error;
  return warnings;
}

/** Creates entries one after the other. */
export async function createEntriesInOrder(
  client: pg.Client,
  entries: readonly SchemaEntry[],
  signal: AbortSignal,
): Promise<string[]> {
  const warnings: string[] = [];
  for (const entry of entries) {
    signal.throwIfAborted();
    warnings.push(...(await createEntry(client, entry)));
  }
  return warnings;
}

/**
 * Refreshes the materialized views that had content, in the order in which they were defined (a view is defined after those
 * that it reads). One that cannot be refreshed loses no data, as its query can be run again: a warning names it.
 */
export async function refreshMaterializedViews(
  client: pg.Client,
  { materialized_views: views }: Manifest,
  preData: readonly SchemaEntry[],
  signal: AbortSignal,
): Promise<string[]> {
  const position = new Map(preData.map(({ oid, type }, index) => [`${type} ${oid}`, index]));
  const order = (oid: number): number => position.get(`MATERIALIZED VIEW ${oid}`) ?? Number.MAX_SAFE_INTEGER;
  const warnings: string[] = [];
  for (const { schema, name } of [...views].sort((a, b) => order(a.oid) - order(b.oid))) {
    signal.throwIfAborted();
    try {
      await client.query(`REFRESH MATERIALIZED VIEW ${quoteQualified(schema, name)}`);
    } catch (error) {
      if ((error as { code?: string }).code === undefined) throw error;
      warnings.push(`Materialized view ${schema}.${name} could not be refreshed: ${(error as Error).message}`);
    }
  }
  return warnings;
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
SELECT n.nspname AS schema, c.relname AS name
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
   AND c.oid NOT IN (SELECT oid FROM above_foreign)
 ORDER BY pg_catalog.pg_relation_size(c.oid) DESC, c.oid`;

/**
 * Gives the planner its statistics before the first query comes. They are not the data: what cannot be had is a warning.
 *
 * @returns the warnings
 */
export async function analyzeTables(clients: readonly pg.Client[], signal: AbortSignal): Promise<string[]> {
  const { rows } = (await clients[0]?.query<{ schema: string; name: string }>(analyzableSql)) ?? { rows: [] };
  const warnings: string[] = [];
  let next = 0;
  await Promise.all(
    clients.map(async (client) => {
      while (next < rows.length) {
        signal.throwIfAborted();
        const table = rows[next++];
        if (!table) continue;
        const name = quoteQualified(table.schema, table.name);
        await client.query(`ANALYZE ${name}`).catch((error: Error & { code?: string }) => {
          // Codes of a lost connection or a server that goes down are no trait of the table.
          if (!/^(?!57|08)[0-9A-Z]{5}$/.test(error.code ?? '')) throw error;
          warnings.push(`No statistics for ${name}: ${error.message}`);
        });
      }
    }),
  );
  return warnings;
}
