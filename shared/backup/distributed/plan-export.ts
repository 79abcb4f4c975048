import { setTimeout } from 'node:timers/promises';
import type { BackupSettings } from '../../configuration/runtime.ts';
import type { ConnectionTarget } from '../../postgres/connect.ts';
import type { DumpedSchema } from '../../postgres/pg-dump/dump-schema.ts';
import type { ExportState, ExportStore } from '../../state/exports.ts';
import { closeHolder } from '../export/close-holder.ts';
import { explainExportFailure } from '../export/explain-failure.ts';
import { type BackupRequest, estimateTotals, prepareExport } from '../export/prepare.ts';
import { relaySnapshot } from '../export/snapshot.ts';
import { exportTasks, workOf } from '../export/tasks.ts';
import { SCHEMA } from '../layout.ts';
import { type ObjectStore, type StoredObject, writeWhole } from '../objects/object-store.ts';
import { countFreeConnections, laneConnections } from './connections.ts';
import type { InvocationTime } from './invocation-time.ts';
import { largestChunk } from './limits.ts';
import { assertKept, exportOver, joinPublished } from './published-snapshot.ts';
import { divideWork } from './shares.ts';
import { workOfExport, writePlan, writeShares } from './work.ts';

/** Chunks that a table is larger than where it is read in parts before PostgreSQL 14; a whole one is read faster. */
const WHOLE_CHUNKS = 4;

export interface ExportDependencies {
  exports: ExportStore;
  target: ConnectionTarget;
  store: ObjectStore;
  settings: BackupSettings;
  /** Dumps the whole schema of a snapshot. */
  dump: (snapshotId: string, signal: AbortSignal) => Promise<DumpedSchema>;
  /** Whether that is done by another pg_dump than the WebAssembly one; by default it is not. */
  nativePgDump?: boolean;
  signal: AbortSignal;
}

/** The stored definitions; null where they are to be dumped beside the rows, see {@link storeDefinitions}. */
export type StoredDefinitions = { schema: StoredObject; pgDumpVersion: string | null };

export interface PlannedExport {
  lanes: number;
  definitions: StoredDefinitions | null;
}

/** How long the first holder, or the first one with all locks, is waited for at a time. */
const LOOK_MS = 250;

/**
 * Plans a distributed backup in its snapshot and stores what the lanes need. When it returns, the tables are locked.
 *
 * @param application - begins the names of this backup's sessions
 * @throws OperationError as `prepareExport`, `too_few_connections`, or why the snapshot could not be had or the tables locked
 */
export async function planExport(
  id: string,
  request: BackupRequest,
  dependencies: ExportDependencies & { time: InvocationTime; application: string },
): Promise<PlannedExport> {
  const { exports, target, store, settings, nativePgDump = false, signal, time, application } = dependencies;
  try {
    const begun = await waitFor(id, dependencies, ({ snapshot }) => snapshot !== null);
    const work = workOfExport(store, begun);
    const { snapshot } = begun;
    if (!snapshot) throw exportOver();
    const { id: snapshotId, holder } = await joinPublished(exports, id, (found) => relaySnapshot(target, found));
    let planned: PlannedExport;
    try {
      const largest = largestChunk(time.whole, settings.connections);
      const chunkBytes = Math.min(settings.chunk_bytes, largest);
      const wholeBytes = Math.min(settings.chunk_bytes * WHOLE_CHUNKS, largest);
      const dump = () => dependencies.dump(snapshotId, signal);
      const { prepared, schema } = await prepareExport(holder, request, {
        snapshot,
        chunkBytes,
        wholeBytes,
        dump,
        nativePgDump,
        signal,
      });
      const tasks = exportTasks(prepared);
      const free = await countFreeConnections(holder, application);
      const { lanes, connections, warnings } = laneConnections(free, settings, tasks.length);
      prepared.warnings.push(...warnings);
      await writePlan(work, prepared, signal);
      const shares = divideWork([...tasks.keys()], lanes, (task) => workOf(tasks[task] ?? { weight: 0 }));
      await writeShares(work, 1, shares, signal);
      planned = {
        lanes,
        definitions: schema && (await writeDefinitions(dependencies, begun, schema.dump, schema.pgDumpVersion)),
      };
      const plan = { planned_at: new Date().toISOString(), lanes, connections, ...estimateTotals(prepared) };
      await exports.recordPlan(id, plan);
    } finally {
      await closeHolder(holder);
    }
    await waitFor(id, dependencies, ({ holders }) => Object.values(holders).some(({ locked }) => locked));
    return planned;
  } catch (error) {
    throw explainExportFailure(signal.aborted ? (signal.reason ?? error) : error);
  }
}

/** Dumps and stores the definitions, in a session of its own in the snapshot. */
export async function storeDefinitions(id: string, dependencies: ExportDependencies): Promise<StoredDefinitions> {
  const { exports, target, signal, dump } = dependencies;
  try {
    const state = await exports.get(id);
    const { id: snapshotId, holder } = await joinPublished(exports, id, (found) => relaySnapshot(target, found));
    try {
      const { pgDumpVersion, ...schema } = await dump(snapshotId, signal);
      return await writeDefinitions(dependencies, state, schema, pgDumpVersion);
    } finally {
      await closeHolder(holder);
    }
  } catch (error) {
    throw explainExportFailure(signal.aborted ? (signal.reason ?? error) : error);
  }
}

async function writeDefinitions(
  { store, settings, signal }: ExportDependencies,
  state: ExportState,
  dump: unknown,
  pgDumpVersion: string | null,
): Promise<StoredDefinitions> {
  const writing = { compressionLevel: settings.compression_level, signal };
  const { location } = workOfExport(store, state);
  return {
    schema: await writeWhole(store, location, SCHEMA, Buffer.from(JSON.stringify(dump)), writing),
    pgDumpVersion,
  };
}

/** @throws OperationError when the export ends, or its snapshot is lost, before the condition holds */
async function waitFor(
  id: string,
  { exports, signal }: Pick<ExportDependencies, 'exports' | 'signal'>,
  condition: (state: ExportState) => boolean,
): Promise<ExportState> {
  for (;;) {
    const state = await exports.get(id);
    assertKept(state);
    if (state.ended) throw exportOver();
    if (condition(state)) return state;
    await setTimeout(LOOK_MS, undefined, { signal });
  }
}
