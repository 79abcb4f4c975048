import { quoteQualified } from '../../postgres/identifiers.ts';
import type { SchemaEntry } from '../../postgres/pg-dump/schema-dump.ts';
import type { ProgressMeter } from '../../progress/progress.ts';
import type { Manifest } from '../manifest.ts';
import { type BegunObject, beginObject } from '../objects/begin-object.ts';
import { loadOrder } from './load-order.ts';
import { type BackupSource, loadLargeObjects, loadTableChunks } from './load-rows.ts';
import type { findLoadTargets } from './load-targets.ts';
import type { RowMasking } from './masking/row-masking.ts';
import { planLoads } from './plan-loads.ts';
import { type RestoreRecord, recordItem } from './restore-record.ts';
import type { WorkItem, WorkSource } from './work-queue.ts';

/** Below it, emptying the table costs more than what frozen rows save. */
const WORTH_FREEZING_BYTES = 1_048_576;

/** The loading of all tables, as items of work. */
export interface TableLoads extends WorkSource {
  /** Whether rows of a table, by its number in the dump, are still to be loaded; without a number, of any. */
  isLoading(table?: number): boolean;
  /** Bytes of a table's rows by its OID in the source; undefined for what is no table with rows of its own. */
  bytesOf(oid: number): number | undefined;
  /** Ends the reading of what nobody came to load. */
  close(): Promise<void>;
}

interface LoadDependencies {
  source: BackupSource;
  progress: ProgressMeter;
  record: RestoreRecord;
  /** null: rows are loaded as they are. */
  masking: RowMasking | null;
  /** Sessions that load at a time. */
  lanes: number;
  /** Called when the last row is loaded. */
  onLoaded: () => void;
}

/** Plans the loading of the chunks that are not loaded yet. */
export function planTableLoads(
  { manifest, preData }: { manifest: Manifest; preData: readonly SchemaEntry[] },
  loadTarget: Awaited<ReturnType<typeof findLoadTargets>>,
  { source, progress, record, masking, lanes, onLoaded }: LoadDependencies,
): TableLoads {
  const numbers = new Map(
    preData
      .filter(({ type }) => type === 'TABLE')
      .map((entry) => [quoteQualified(entry.schema ?? '', entry.name), entry.dump_id]),
  );
  const left = new Map<string, number>();
  const tables = manifest.tables.map((table) => {
    // What an extension made belongs to whoever created it, who may let nobody else write: without rows there is nothing to write.
    const isOfExtension = !numbers.has(quoteQualified(table.schema, table.name));
    const chunks = table.chunks.filter(
      ({ path, rows }) => !record.has(recordItem.chunk(path)) && !(isOfExtension && rows === 0),
    );
    left.set(quoteQualified(table.schema, table.name), chunks.length);
    const loaded = table.chunks.filter((chunk) => !chunks.includes(chunk));
    for (const { rows, bytes } of loaded) progress.add({ rows, bytes });
    if (chunks.length === 0 && loaded.length > 0) progress.add({ tables: 1 });
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
    return { ...table, chunks, bytes, untouched: loaded.length === 0 };
  });
  const tasks = planLoads(tables, lanes);
  const order = loadOrder(tasks);
  let remaining = tasks.length;
  /** Tasks that are not done, by the table they fill. */
  const loading = new Map<number, number>();
  /** Those that fill a table of which the dump knows nothing, or through which rows come to other tables. */
  let anywhere = 0;
  const count = (name: string, change: 1 | -1, elsewhere: boolean): void => {
    const number = numbers.get(name);
    if (number === undefined || elsewhere) anywhere += change;
    else loading.set(number, (loading.get(number) ?? 0) + change);
  };
  const planned = (table: (typeof tables)[number]) => {
    const into = loadTarget(table);
    const elsewhere = into.schema !== table.schema || into.name !== table.name;
    return { into, elsewhere, name: quoteQualified(table.schema, table.name) };
  };
  for (const { table } of tasks) {
    const { name, elsewhere } = planned(table);
    count(name, 1, elsewhere);
  }
  if (remaining === 0) onLoaded();
  /** Tasks of which the first chunk is being read already: each session begins one when it comes to its last chunk. */
  const begun: { task: (typeof tasks)[number]; first: BegunObject }[] = [];
  const beginNext = (signal: AbortSignal): void => {
    const task = signal.aborted ? undefined : order.next();
    const chunk = task?.chunks[0];
    if (task && chunk) begun.push({ task, first: beginObject(source, chunk, signal) });
  };

  return {
    take() {
      const { task, first } = begun.shift() ?? { task: order.next() };
      if (!task) return undefined;
      const { table, chunks, whole, bytes } = task;
      const { into, elsewhere, name } = planned(table);
      // Tables of extensions may have rows already, which the extension put there.
      const isEmpty = !elsewhere && table.untouched && numbers.has(name);
      return {
        stops: true,
        async run(client, signal) {
          await loadTableChunks(client, source, {
            table,
            into: { ...into, frozen: whole && isEmpty && bytes >= WORTH_FREEZING_BYTES },
            encoding: manifest.encoding,
            chunks,
            first,
            masking,
            record,
            onBytes: (loaded) => progress.add({ bytes: loaded }),
            onChunk: ({ rows }) => {
              const after = (left.get(name) ?? 0) - 1;
              left.set(name, after);
              progress.add({ rows, tables: after === 0 ? 1 : 0 });
            },
            onLast: () => beginNext(signal),
            signal,
          });
          return [];
        },
        done() {
          order.done(task);
          count(name, -1, elsewhere);
          remaining -= 1;
          if (remaining === 0) onLoaded();
        },
      };
    },
    isLoading: (table) => (table === undefined ? remaining > 0 : anywhere > 0 || (loading.get(table) ?? 0) > 0),
    bytesOf: tableBytes(manifest),
    async close() {
      await Promise.all(begun.splice(0).map(({ first }) => first.close()));
    },
    get remaining() {
      return remaining;
    },
  };
}

function tableBytes({ tables }: Manifest): (oid: number) => number | undefined {
  const bytes = new Map(tables.map((table) => [table.oid, table.bytes]));
  return (oid) => bytes.get(oid);
}

/** The loading of the large objects, one item of work. */
export function largeObjectsItem(
  manifest: Manifest,
  source: BackupSource,
  {
    record,
    progress,
    withoutOwners,
  }: { record: RestoreRecord; progress: ProgressMeter; withoutOwners: boolean | undefined },
): WorkSource {
  const { large_objects: largeObjects } = manifest;
  let state: 'waiting' | 'running' | 'done' = largeObjects.objects.length > 0 ? 'waiting' : 'done';
  const item: WorkItem = {
    stops: true,
    run: (client, signal) =>
      loadLargeObjects(client, source, largeObjects, {
        record,
        withoutOwners,
        onBytes: (bytes) => progress.add({ bytes }),
        signal,
      }),
    done() {
      state = 'done';
    },
  };
  return {
    take() {
      if (state !== 'waiting') return undefined;
      state = 'running';
      return item;
    },
    get remaining() {
      return state === 'done' ? 0 : 1;
    },
  };
}
