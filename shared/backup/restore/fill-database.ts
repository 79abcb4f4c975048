import type pg from 'pg';
import type { BackupSettings } from '../../configuration/runtime.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { quoteQualified } from '../../postgres/identifiers.ts';
import type { SchemaDump, SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import type { ProgressMeter } from '../../progress/progress.ts';
import { runLanes } from '../export/lanes.ts';
import type { Manifest } from '../manifest.ts';
import {
  type CreateEntry,
  createEntriesInOrder,
  createEntriesInParallel,
  refreshMaterializedViews,
} from './finish-schema.ts';
import { loadOrder } from './load-order.ts';
import { type BackupSource, loadLargeObjects, loadTableChunks, setSequences } from './load-rows.ts';
import { findLoadTargets } from './load-targets.ts';
import { planLoads } from './plan-loads.ts';
import { createRecord, dropRecord, type RestoreRecord, recordItem } from './restore-record.ts';
import { scheduleEntries } from './schedule-entries.ts';
import { createEntry } from './schema-entry.ts';
import { allowBuildMemory, openRestoreSession } from './session.ts';
import { analyzeTable, analyzeTables, isAnalyze, listAnalyzable, scheduleAnalyze } from './statistics.ts';

export interface FillDependencies {
  target: ConnectionTarget;
  settings: BackupSettings;
  signal: AbortSignal;
  source: BackupSource;
  progress: ProgressMeter;
  /** What an earlier attempt has done; null when the database is new and empty. */
  record: RestoreRecord | null;
}

/** What goes into the database, and what there is to say of it already. */
export interface Filling {
  manifest: Manifest;
  schema: SchemaDump;
  warnings: readonly string[];
}

/**
 * Fills the new database: definitions, rows, positions, then all that is faster or only right once the rows are there. What an
 * earlier attempt has done, as the record in the database says, is not done again.
 *
 * @returns all warnings: those given, those of earlier attempts, and its own
 */
export async function fillDatabase(
  database: string,
  { manifest, schema, warnings: earlier }: Filling,
  options: { withoutOwners?: boolean | undefined; analyze?: boolean | undefined },
  { target, settings, signal, source, progress, record: found }: FillDependencies,
): Promise<string[]> {
  const { analyze = true } = options;
  const preData = schema.entries.filter(({ section }) => section === 'pre-data');
  const postData = schema.entries.filter(({ section }) => section === 'post-data');
  const { tables, rows, bytes } = manifest.totals;
  progress.total({ tables, rows, bytes });

  const main = await openRestoreSession(target, database, 'UTF8');
  try {
    const record = found ?? (await createRecord(main));
    const repeated = found !== null;
    const create: CreateEntry = async (client, entry) => {
      const item = recordItem.entry(entry.dump_id);
      if (record.has(item)) return [];
      await record.add(client, [item], await createOrAnalyze(client, entry, repeated));
      return [];
    };
    if (!repeated) {
      const warnings = await createEntriesInOrder(main, preData, createEntry, signal);
      await record.add(main, [recordItem.definitions], [...earlier, ...warnings]);
    }

    progress.phase('data');
    await loadTables(main, database, { manifest, preData }, { target, settings, signal, source, progress, record });
    const addBytes = (loaded: number): void => progress.add({ bytes: loaded });
    const { withoutOwners } = options;
    const warnings = await loadLargeObjects(main, source, manifest.large_objects, {
      record,
      withoutOwners,
      onBytes: addBytes,
      signal,
    });
    await setSequences(main, manifest.sequences);

    const tableBytes = new Map(manifest.tables.map((table) => [table.oid, table.bytes]));
    const { parallel, privileges, last } = scheduleEntries(preData, postData, (oid) => tableBytes.get(oid) ?? 0);
    const others: pg.Client[] = [];
    try {
      while (others.length < settings.connections - 1) others.push(await openRestoreSession(target, database, 'UTF8'));
      const clients = [main, ...others];
      for (const client of clients) await allowBuildMemory(client, clients.length);
      progress.phase('indexes and keys');
      const analyses = scheduleAnalyze(analyze ? await listAnalyzable(main) : [], preData, parallel);
      await createEntriesInParallel(clients, [...parallel, ...analyses.entries], create, signal);
      await createEntriesInOrder(main, privileges, create, signal);
      progress.phase('materialized views');
      warnings.push(...(await refreshMaterializedViews(main, manifest, preData, signal)));
      if (analyze) progress.phase('statistics');
      warnings.push(...(await analyzeTables(clients, analyses.later, signal)));
      warnings.unshift(...record.warnings);
      await dropRecord(main);
      warnings.push(...(await createEntriesInOrder(main, last, createEntry, signal)));
    } finally {
      await Promise.all(others.map((client) => client.end().catch(() => undefined)));
    }
    return warnings;
  } finally {
    await main.end().catch(() => undefined);
  }
}

function createOrAnalyze(client: pg.Client, entry: SchemaEntry, repeated: boolean): Promise<string[]> {
  return isAnalyze(entry)
    ? analyzeTable(client, { schema: entry.schema ?? '', name: entry.name })
    : createEntry(client, entry, { repeated });
}

/** Below it, emptying the table costs more than what frozen rows save. */
const WORTH_FREEZING_BYTES = 1_048_576;

/** Loads the chunks that are not loaded yet, on several sessions at a time. */
async function loadTables(
  main: pg.Client,
  database: string,
  { manifest, preData }: { manifest: Manifest; preData: readonly SchemaEntry[] },
  {
    target,
    settings,
    signal,
    source,
    progress,
    record,
  }: Omit<FillDependencies, 'record'> & {
    record: RestoreRecord;
  },
): Promise<void> {
  const loadTarget = await findLoadTargets(main);
  const created = new Set(
    preData.filter(({ type }) => type === 'TABLE').map((entry) => quoteQualified(entry.schema ?? '', entry.name)),
  );
  const left = new Map<string, number>();
  const tables = manifest.tables.map((table) => {
    const chunks = table.chunks.filter(({ path }) => !record.has(recordItem.chunk(path)));
    left.set(quoteQualified(table.schema, table.name), chunks.length);
    const loaded = table.chunks.filter((chunk) => !chunks.includes(chunk));
    for (const { rows, bytes } of loaded) progress.add({ rows, bytes });
    if (chunks.length === 0 && loaded.length > 0) progress.add({ tables: 1 });
    return {
      ...table,
      chunks,
      bytes: chunks.reduce((sum, chunk) => sum + chunk.bytes, 0),
      untouched: loaded.length === 0,
    };
  });
  const order = loadOrder(planLoads(tables, settings.connections));
  await runLanes(order, settings.connections, {
    open: () => openRestoreSession(target, database, manifest.encoding),
    work: async (client, task, laneSignal) => {
      const { table, chunks, whole, bytes } = task;
      const into = loadTarget(table);
      const name = quoteQualified(table.schema, table.name);
      const isOwn = into.schema === table.schema && into.name === table.name;
      // Tables of extensions may have rows already, which the extension put there.
      const isEmpty = isOwn && table.untouched && created.has(name);
      await loadTableChunks(client, source, {
        table,
        into: { ...into, frozen: whole && isEmpty && bytes >= WORTH_FREEZING_BYTES },
        chunks,
        record,
        onBytes: (loaded) => progress.add({ bytes: loaded }),
        onChunk: ({ rows }) => {
          const remaining = (left.get(name) ?? 0) - 1;
          left.set(name, remaining);
          progress.add({ rows, tables: remaining === 0 ? 1 : 0 });
        },
        signal: laneSignal,
      });
      order.done(task);
    },
    close: (client) => client.end(),
    signal,
  });
}
