import type { BackupSettings } from '../../configuration/runtime.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import { dumpSchema } from '../../postgres/pg-dump/dump-schema.ts';
import { type ReportProgress, startProgress } from '../../progress/progress.ts';
import { SCHEMA } from '../layout.ts';
import { backupLocation } from '../location.ts';
import type { Manifest, StoredChunk } from '../manifest.ts';
import { type ObjectStore, type WriteOptions, writeObject, writeWhole } from '../objects/object-store.ts';
import { closeHolder } from './close-holder.ts';
import { completeBackup } from './complete.ts';
import { explainExportFailure, snapshotLost } from './explain-failure.ts';
import { runLanes } from './lanes.ts';
import { type BackupRequest, estimateTotals, prepareExport } from './prepare.ts';
import { joinSnapshot, lockTables, type Snapshot, takeSnapshot } from './snapshot.ts';
import { type ExportTask, exportTask, exportTasks, maskerOf, workOf } from './tasks.ts';

export type { BackupRequest };

export interface BackupDependencies {
  target: ConnectionTarget;
  store: ObjectStore;
  settings: BackupSettings;
  postgresToolsPath: string;
  pgDumpPath?: string | undefined;
  report: ReportProgress;
  /** Ends the backup early; whatever was begun is undone. */
  signal: AbortSignal;
  /** Gives a larger one up before its first row is read; by default none is too large. */
  mostWork?: number;
  /** Largest table that is read whole before PostgreSQL 14; by default what one connection gets done of `mostWork`. */
  wholeBytes?: number;
}

/** There is more to be exported than one invocation is given; see shared/backup/distributed. */
export class LargerThanOneInvocation extends Error {}

/**
 * Takes a backup within one invocation: one exported snapshot for schema and data, rows over several connections, each chunk
 * compressed, sealed and uploaded as it is read. The manifest is written last; until then there is no backup.
 *
 * @throws OperationError with the cause; nothing stays open, and no upload stays unfinished
 * @throws LargerThanOneInvocation beyond `mostWork`
 */
export async function runBackup(request: BackupRequest, dependencies: BackupDependencies): Promise<Manifest> {
  const { target, store, settings, signal, mostWork = Number.POSITIVE_INFINITY } = dependencies;
  const { wholeBytes = mostWork / settings.connections } = dependencies;
  const createdAt = new Date().toISOString();
  const location = backupLocation(request.database, request.id);
  const progress = startProgress(dependencies.report);
  const writing: WriteOptions = { compressionLevel: settings.compression_level, signal };
  const lost = new AbortController();
  let snapshot: Snapshot | undefined;
  try {
    signal.throwIfAborted();
    progress.phase('snapshot');
    snapshot = await takeSnapshot(target);
    snapshot.holder.once('end', () => lost.abort(snapshotLost()));
    const guarded = AbortSignal.any([signal, lost.signal]);

    const { id: snapshotId, holder, facts } = snapshot;
    const dump = () =>
      dumpSchema({
        target,
        snapshot: snapshotId,
        postgresToolsPath: dependencies.postgresToolsPath,
        ...(dependencies.pgDumpPath ? { pgDumpPath: dependencies.pgDumpPath } : {}),
        signal: guarded,
      });
    const { prepared, schema } = await prepareExport(holder, request, {
      snapshot: facts,
      chunkBytes: settings.chunk_bytes,
      wholeBytes,
      dump,
      nativePgDump: dependencies.pgDumpPath !== undefined,
      signal: guarded,
    });
    const tasks = exportTasks(prepared);
    if (tasks.reduce((sum, task) => sum + workOf(task), 0) > mostWork) throw new LargerThanOneInvocation();
    await lockTables(holder, prepared.tables);
    progress.total(estimateTotals(prepared));
    progress.phase('data');

    const chunks = new Map<string, StoredChunk>();
    const tablesLeft = chunksByTable(tasks);
    const data = runLanes(tasks, settings.connections, {
      open: () => joinSnapshot(target, snapshotId),
      work: async (client, task, laneSignal) => {
        const writer = writeObject(store, location, task.path, { ...writing, signal: laneSignal });
        const masker = maskerOf(prepared, task, request.masking?.maskingKey ?? null);
        const onBytes = (bytes: number) => progress.add({ bytes });
        const stored = await exportTask(client, task.sql, writer, { onBytes, masker, signal: laneSignal });
        chunks.set(task.path, stored);
        if (task.table === null) return;
        const left = (tablesLeft.get(task.table) ?? 1) - 1;
        tablesLeft.set(task.table, left);
        progress.add({ rows: stored.rows, tables: left === 0 ? 1 : 0 });
      },
      close: (client) => client.end(),
      signal: guarded,
    });
    const definitions = schema ?? dump().then(({ pgDumpVersion, ...rest }) => ({ pgDumpVersion, dump: rest }));
    // Both run to their end before a failure is passed on, so that nothing is still being written afterwards.
    const [exported, dumped] = await Promise.allSettled([data, definitions]);
    if (exported.status === 'rejected') throw exported.reason;
    if (dumped.status === 'rejected') throw dumped.reason;

    progress.phase('finishing');
    progress.settle();
    const { pgDumpVersion, dump: schemaDump } = dumped.value;
    const schemaObject = await writeWhole(store, location, SCHEMA, Buffer.from(JSON.stringify(schemaDump)), writing);
    const parts = { createdAt, schema: schemaObject, pgDumpVersion, chunks };
    return await completeBackup(holder, store, request, prepared, parts, guarded);
  } catch (error) {
    // What is ended by a signal may say no more than that it was ended.
    const wasEnded = (error as { name?: string } | undefined)?.name === 'AbortError' && lost.signal.aborted;
    throw explainExportFailure(signal.aborted ? (signal.reason ?? error) : wasEnded ? lost.signal.reason : error);
  } finally {
    await closeHolder(snapshot?.holder);
    await progress.close();
  }
}

function chunksByTable(tasks: readonly ExportTask[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { table } of tasks) if (table !== null) counts.set(table, (counts.get(table) ?? 0) + 1);
  return counts;
}
