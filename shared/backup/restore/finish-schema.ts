import type pg from 'pg';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import type { Manifest } from '../manifest.ts';
import { entryQueue, type ScheduledEntry } from './schedule-entries.ts';

/** Creates one entry; answers warnings about what could not be set. */
export type CreateEntry = (client: pg.Client, entry: SchemaEntry) => Promise<string[]>;

/**
 * Builds indexes, keys, triggers, policies and the like, and gathers statistics, on several sessions at a time.
 *
 * @returns warnings about owners, privileges and statistics that could not be set
 */
export async function createEntriesInParallel(
  clients: readonly pg.Client[],
  entries: readonly ScheduledEntry[],
  create: CreateEntry,
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
        create(client, scheduled.entry)
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
      // Told to stop, it leaves the server at work: some of it may come to an end, and be found by the next attempt.
      if (idle.length !== clients.length && !signal.aborted) return;
      // Nobody works and nothing can begin: done, failed, or a circle of dependencies, which pg_dump never writes.
      if (queue.remaining > 0)
        failure ??= { error: signal.reason ?? new Error('The schema entries depend on each other in a circle') };
      resolve();
    };
    signal.addEventListener('abort', begin, { once: true });
    begin();
  });
  if (failure) throw (failure as { error: unknown }).error;
  return warnings;
}

/** Creates entries one after the other. */
export async function createEntriesInOrder(
  client: pg.Client,
  entries: readonly SchemaEntry[],
  create: CreateEntry,
  signal: AbortSignal,
): Promise<string[]> {
  const warnings: string[] = [];
  for (const entry of entries) {
    signal.throwIfAborted();
    warnings.push(...(await create(client, entry)));
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
    const view = quoteQualified(schema, name);
    try {
      // An earlier attempt may have come this far.
      const { rows } = await client.query(
        'SELECT relispopulated AS done FROM pg_catalog.pg_class WHERE oid = $1::regclass',
        [view],
      );
      if (rows[0]?.done) continue;
      await client.query(`REFRESH MATERIALIZED VIEW ${view}`);
    } catch (error) {
      if ((error as { code?: string }).code === undefined) throw error;
      warnings.push(`Materialized view ${schema}.${name} could not be refreshed: ${(error as Error).message}`);
    }
  }
  return warnings;
}
