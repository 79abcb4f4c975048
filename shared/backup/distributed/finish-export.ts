import type { ConnectionTarget } from '../../postgres/connect.ts';
import type { ReportProgress } from '../../progress/progress.ts';
import type { ExportStore } from '../../state/exports.ts';
import { completeBackup } from '../export/complete.ts';
import { explainExportFailure } from '../export/explain-failure.ts';
import type { BackupRequest } from '../export/prepare.ts';
import { assertUnchanged, joinSnapshot } from '../export/snapshot.ts';
import { exportTasks } from '../export/tasks.ts';
import { MANIFEST, WORK } from '../layout.ts';
import { listKeys } from '../listing.ts';
import { type Manifest, parseManifest, type StoredChunk } from '../manifest.ts';
import { type ObjectStore, readWhole } from '../objects/object-store.ts';
import { abortUploads, deleteObjects } from '../remove.ts';
import { finishedProgress } from './export-progress.ts';
import type { StoredDefinitions } from './plan-export.ts';
import { joinPublished } from './published-snapshot.ts';
import { readPlan, readResults, type Work, workOfExport } from './work.ts';

/**
 * Completes a distributed backup: removes what lanes wrote and the backup does not need, writes the manifest, and removes what the
 * functions left for each other. When it was ended before it could say so, it can be called again.
 *
 * @throws OperationError `export_incomplete` when a chunk is missing, `snapshot_lost`, or another cause
 */
export async function finishExport(
  id: string,
  request: BackupRequest,
  { schema, pgDumpVersion }: StoredDefinitions,
  {
    exports,
    target,
    store,
    report,
    signal,
  }: {
    exports: ExportStore;
    target: ConnectionTarget;
    store: ObjectStore;
    report: ReportProgress;
    signal: AbortSignal;
  },
): Promise<Manifest> {
  try {
    // From now on, no holder reports what the lanes have done.
    await exports.recordFinishing(id);
    const state = await exports.get(id);
    const work = workOfExport(store, state);
    const { prefix } = work.location;
    let manifest = await readFinished(work, signal);
    if (!manifest) {
      const prepared = await readPlan(work, signal);
      const results = await readResults(work, signal);
      const tasks = exportTasks(prepared);
      const chunks = new Map<string, StoredChunk>();
      for (const [task, chunk] of results) chunks.set(tasks[task]?.path ?? '', chunk);
      const kept = new Set([schema.path, ...[...chunks.values()].map(({ path }) => path)]);
      await abortUploads(store, prefix);
      await deleteObjects(store, prefix, (key) => !isKept(key.slice(prefix.length), kept));
      const client = await joinPublished(exports, id, (snapshotId) => joinSnapshot(target, snapshotId));
      try {
        // Exact also if at some moment no holder had the locks.
        await assertUnchanged(client, prepared.tables);
        const parts = { createdAt: state.started_at, schema, pgDumpVersion, chunks };
        manifest = await completeBackup(client, store, request, prepared, parts, signal);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
    await deleteObjects(store, prefix + WORK);
    await report(finishedProgress(manifest.totals, new Date())).catch(() => undefined);
    return manifest;
  } catch (error) {
    throw explainExportFailure(signal.aborted ? (signal.reason ?? error) : error);
  }
}

const isKept = (path: string, kept: ReadonlySet<string>): boolean => path.startsWith(WORK) || kept.has(path);

/** The manifest, where this was called before and came that far. */
async function readFinished({ store, location }: Work, signal: AbortSignal): Promise<Manifest | null> {
  if ((await listKeys(store, location.prefix + MANIFEST)).length === 0) return null;
  return parseManifest(await readWhole(store, location, MANIFEST, { compressed: false, signal }));
}
