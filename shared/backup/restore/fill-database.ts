import type pg from 'pg';
import type { BackupSettings } from '../../configuration/runtime.ts';
import type { MaskingRules } from '../../masking/plan/plan-masking.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { muteEventTriggers } from '../../postgres/event-triggers/muting.ts';
import type { SchemaDump, SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import type { ProgressMeter } from '../../progress/progress.ts';
import type { Manifest } from '../manifest.ts';
import { type AllowBuildMemory, openBuildMemory } from './build-memory.ts';
import { type LeftOut, leftOutOf } from './drill/left-out.ts';
import { type CreateEntry, createEntriesInOrder, refreshMaterializedViews } from './finish-schema.ts';
import { flushLog, type LogFlushing } from './flush-log.ts';
import { type BackupSource, setSequences } from './load-rows.ts';
import { findLoadTargets } from './load-targets.ts';
import { planInto } from './masking/plan-into.ts';
import { closePublicSchema } from './public-schema.ts';
import type { PlannedMode } from './restore-mode.ts';
import { createRecord, dropRecord, type RestoreRecord, recordItem } from './restore-record.ts';
import { type EntryQueue, entryQueue, scheduleEntries } from './schedule-entries.ts';
import { planSchemaCreators } from './schema-creators.ts';
import { createEntry } from './schema-entry.ts';
import { openRestoreSession } from './session.ts';
import { analyzeTable, analyzeTables, isAnalyze, listAnalyzable, scheduleAnalyze } from './statistics.ts';
import { largeObjectsItem, planTableLoads, type TableLoads } from './table-loads.ts';
import { runWork, type WorkSource } from './work-queue.ts';

export interface FillDependencies {
  target: ConnectionTarget;
  settings: BackupSettings;
  signal: AbortSignal;
  source: BackupSource;
  progress: ProgressMeter;
  /** What an earlier attempt has done; null when the database is new and empty. */
  record: RestoreRecord | null;
  /** Rows are masked by these rules; null: they are as they are. */
  masking?: MaskingRules | null;
  /** Leaves the record in the database, for whoever goes on with it; that one removes it. */
  keepsRecord?: boolean;
}

/** What goes into the database, and what there is to say of it already. */
export interface Filling {
  manifest: Manifest;
  schema: SchemaDump;
  warnings: readonly string[];
}

/**
 * Fills the new database: definitions, then rows, then all that is faster or only right once the rows are there. A table's indexes
 * begin when its own rows are loaded, so that sessions that find no more rows to load have something to do. What an earlier
 * attempt has done, as the record in the database says, is not done again.
 *
 * @returns all warnings (those given, those of earlier attempts, and its own), and what of it all is there: a drill leaves out what its
 * login may not create
 */
export async function fillDatabase(
  database: string,
  { manifest: whole, schema, warnings: earlier }: Filling,
  options: { mode?: PlannedMode | undefined; withoutOwners?: boolean | undefined; analyze?: boolean | undefined },
  {
    target,
    settings,
    signal,
    source,
    progress,
    record: found,
    masking: rules = null,
    keepsRecord = false,
  }: FillDependencies,
): Promise<Filling> {
  const { analyze = true } = options;
  const isDrill = options.mode === 'drill';
  const preData = schema.entries.filter(({ section }) => section === 'pre-data');
  const postData = schema.entries.filter(({ section }) => section === 'post-data');
  const { tables, rows, bytes } = whole.totals;
  progress.total({ tables, rows, bytes });
  if (found?.has(recordItem.filled)) {
    progress.add({ tables, rows, bytes });
    return without(leftOutOf(schema.entries, found), { manifest: whole, schema, warnings: found.warnings });
  }

  const main = await openRestoreSession(target, database, 'UTF8');
  try {
    const record = found ?? (await createRecord(main));
    const repeated = found !== null;
    const leftOut = leftOutOf(schema.entries, record);
    const make = (of: CreateEntry): CreateEntry => (isDrill ? leftOut.leavingOut(of) : of);
    const createFirst = make(createEntry);
    const createAgain = make((client, entry) => createOrAnalyze(client, entry, repeated));
    const create: CreateEntry = async (client, entry) => {
      const item = recordItem.entry(entry.dump_id);
      if (record.has(item)) return [];
      await record.add(client, [item], await createAgain(client, entry));
      return [];
    };
    const creators = await planSchemaCreators(main, schema.entries, options);
    if (!repeated) {
      const open = await closePublicSchema(main, schema.entries);
      await creators.lendAtStart(main);
      const warnings = await createEntriesInOrder(main, preData, creators.lending(createFirst), signal);
      // Of a database from which tables are taken, or of a drill, nothing stays.
      if (options.mode !== 'beside' && !isDrill) warnings.unshift(...open);
      await record.add(main, [recordItem.definitions], [...earlier, ...warnings]);
    }
    const { manifest } = without(leftOut, { manifest: whole, schema, warnings: [] });

    const masking = rules && (await planInto(main, rules, { manifest, schema, source, record, signal }));

    const warnings: string[] = [];
    const others: pg.Client[] = [];
    let flushing: LogFlushing | undefined;
    let loads: TableLoads | undefined;
    try {
      while (others.length < settings.connections - 1) others.push(await openRestoreSession(target, database, 'UTF8'));
      const clients = [main, ...others];
      const allowMemory = await openBuildMemory(main, clients.length, { manifest, preData });

      // After the sessions that are needed, in case it is the last the server gives.
      flushing = flushLog(target, database);
      progress.phase('data');
      loads = planTableLoads({ manifest, preData }, await findLoadTargets(main), {
        source,
        progress,
        record,
        masking,
        lanes: clients.length,
        onLoaded: () => {
          flushing?.stop();
          progress.phase('indexes and keys');
        },
      });
      const objects = largeObjectsItem(manifest, source, { record, progress, withoutOwners: options.withoutOwners });
      const { parallel, privileges, last } = scheduleEntries(preData, postData, loads.bytesOf);
      const analyses = scheduleAnalyze(analyze ? await listAnalyzable(main) : [], preData, parallel);
      const entries = entryQueue([...parallel, ...analyses.entries], loads.isLoading);
      warnings.push(
        ...(await runWork(clients, inThisOrder(objects, loads, workOf(entries, create, allowMemory)), signal)),
      );
      await setSequences(main, manifest.sequences);
      await createEntriesInOrder(main, [...creators.returned, ...privileges], create, signal);
      progress.phase('materialized views');
      warnings.push(...(await refreshMaterializedViews(main, manifest, preData, signal)));
      if (analyze) progress.phase('statistics');
      warnings.push(...(await analyzeTables(clients, analyses.later, signal)));
      if (keepsRecord) {
        await createEntriesInOrder(main, last, create, signal);
        // What is done to the database from here on has had its effects on the original.
        await inTransaction(main, () => muteEventTriggers(main));
        await record.add(main, [recordItem.filled], warnings);
        return without(leftOut, { manifest: whole, schema, warnings: record.warnings });
      }
      warnings.unshift(...record.warnings);
      if (!isDrill) await dropRecord(main);
      warnings.push(...(await createEntriesInOrder(main, last, createFirst, signal)));
    } finally {
      await loads?.close();
      flushing?.stop();
      await flushing?.ended;
      await Promise.all(others.map((client) => client.end().catch(() => undefined)));
    }
    return without(leftOut, { manifest: whole, schema, warnings });
  } finally {
    await main.end().catch(() => undefined);
  }
}

/** What has values beside the rows of tables. */
const HOLDING: ReadonlySet<string> = new Set(['SEQUENCE', 'MATERIALIZED VIEW']);

/** What is there of a backup when some of it is left out; its warnings say so. */
function without(leftOut: LeftOut, { manifest, schema, warnings }: Filling): Filling {
  const named = [...warnings, ...leftOut.warnings];
  const gone = schema.entries.filter((entry) => leftOut.has(entry));
  if (gone.length === 0) return { manifest, schema, warnings: named };
  const tables = new Set(gone.filter(({ type }) => type === 'TABLE').map(({ oid }) => oid));
  const placeOf = (each: { schema: string | null; name: string }): string => JSON.stringify([each.schema, each.name]);
  const places = new Set(gone.filter(({ type }) => HOLDING.has(type)).map(placeOf));
  return {
    manifest: {
      ...manifest,
      tables: manifest.tables.filter(({ oid }) => !tables.has(oid)),
      sequences: manifest.sequences.filter((each) => !places.has(placeOf(each))),
      materialized_views: manifest.materialized_views.filter((each) => !places.has(placeOf(each))),
    },
    schema: { ...schema, entries: schema.entries.filter((entry) => !leftOut.has(entry)) },
    warnings: named,
  };
}

async function inTransaction(client: pg.Client, work: () => Promise<void>): Promise<void> {
  await client.query('BEGIN');
  try {
    await work();
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Post-data entries as items of work. */
function workOf(entries: EntryQueue, create: CreateEntry, allowMemory: AllowBuildMemory): WorkSource {
  return {
    take() {
      const scheduled = entries.take();
      return (
        scheduled && {
          async run(client) {
            await allowMemory(client, scheduled);
            return create(client, scheduled.entry);
          },
          stops: false,
          done: () => entries.done(scheduled),
        }
      );
    },
    get remaining() {
      return entries.remaining;
    },
  };
}

/** Sources as one; a later one's items begin when the earlier ones have none to begin. */
function inThisOrder(...sources: readonly WorkSource[]): WorkSource {
  return {
    take() {
      for (const source of sources) {
        const item = source.take();
        if (item) return item;
      }
      return undefined;
    },
    get remaining() {
      return sources.reduce((sum, { remaining }) => sum + remaining, 0);
    },
  };
}

function createOrAnalyze(client: pg.Client, entry: SchemaEntry, repeated: boolean): Promise<string[]> {
  return isAnalyze(entry)
    ? analyzeTable(client, { schema: entry.schema ?? '', name: entry.name })
    : createEntry(client, entry, { repeated });
}
