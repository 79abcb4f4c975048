import type { Backup } from '../contract/schemas/backup.ts';
import { isRetryable } from '../core/errors/kinds.ts';
import { OperationError } from '../errors.ts';
import { createBackupCatalog } from '../state/backups.ts';
import type { StateTable } from '../state/table.ts';
import { incompleteOf } from './incomplete.ts';
import { type IncrementManifest, parseAnyManifest } from './increment-manifest.ts';
import { MANIFEST } from './layout.ts';
import { listStoredBackups, listStoredDatabases } from './listing.ts';
import { backupLocation } from './location.ts';
import type { Manifest } from './manifest.ts';
import { explainStoreFailure, type ObjectStore, readWhole } from './objects/object-store.ts';
import { inspectManifest, type StoredManifest } from './stored-manifest.ts';

export interface RebuildReport {
  /** Whether every backup in the bucket was looked at. */
  done: boolean;
  /** Backups that were missing in the catalog and are listed now. */
  added: string[];
  /** How many were listed already. */
  listed: number;
  /** Backups whose manifest cannot be read, with the reason. */
  unreadable: { id: string; message: string }[];
  /** How many folders hold objects and no manifest: never complete, so no backups. */
  incomplete: number;
}

/** The job of a backup whose entry was made anew: its id is kept in the State table alone. */
const UNKNOWN_JOB = 'unknown';

export interface RebuildDependencies {
  store: ObjectStore;
  table: StateTable;
  /** Ends the work with an error. */
  signal: AbortSignal;
  /** Ends it between two backups, with a report that is not `done`. */
  timeIsOver?: AbortSignal;
}

/**
 * Lists in the catalog every complete backup of a database that is in the bucket and not listed. What is listed stays as it
 * is, so it can be repeated at any time, and goes on where it was.
 *
 * @throws OperationError `store_failed` or `bucket_missing`
 */
export async function rebuildCatalog(
  database: string,
  { store, table, signal, timeIsOver }: RebuildDependencies,
): Promise<RebuildReport> {
  const catalog = createBackupCatalog(table);
  const found: RebuildReport = { done: false, added: [], listed: 0, unreadable: [], incomplete: 0 };
  const ids = await listStoredBackups(store, database).catch((error: unknown) => {
    throw explainStoreFailure(error, `databases/${database}/backups/`);
  });
  for (const id of ids) {
    signal.throwIfAborted();
    if (timeIsOver?.aborted) return found;
    if (await catalog.find(id)) {
      found.listed += 1;
      continue;
    }
    const location = backupLocation(database, id);
    const stored = await inspectManifest(store, location.prefix).catch((error: unknown) => {
      throw explainStoreFailure(error, location.prefix);
    });
    if (stored.storedAt === null) {
      found.incomplete += 1;
      continue;
    }
    try {
      const bytes = await readWhole(store, location, MANIFEST, { compressed: false, signal });
      const backup = listedAs(parseAnyManifest(bytes), stored);
      if (backup.id !== id || backup.database !== database) throw misplaced(backup, id);
      if (await catalog.addMissing(backup)) found.added.push(id);
    } catch (error) {
      if (!(error instanceof OperationError) || isOfStore(error)) throw error;
      found.unreadable.push({ id, message: error.message });
    }
  }
  return { ...found, done: true };
}

/**
 * Does so for every database of which there are backups in the bucket, configured or not.
 *
 * @throws OperationError as {@link rebuildCatalog}
 */
export async function rebuildWholeCatalog(dependencies: RebuildDependencies): Promise<RebuildReport> {
  const databases = await listStoredDatabases(dependencies.store).catch((error: unknown) => {
    throw explainStoreFailure(error, 'databases/');
  });
  const found: RebuildReport = { done: true, added: [], listed: 0, unreadable: [], incomplete: 0 };
  for (const database of databases) {
    const { done, added, listed, unreadable, incomplete } = await rebuildCatalog(database, dependencies);
    found.added.push(...added);
    found.unreadable.push(...unreadable);
    found.listed += listed;
    found.incomplete += incomplete;
    if (!done) return { ...found, done };
  }
  return found;
}

/** Failures that say nothing of the manifest. */
const isOfStore = (error: OperationError): boolean => isRetryable(error) || error.code === 'bucket_missing';

function misplaced({ id, database }: Backup, expected: string): OperationError {
  return new OperationError(
    'object_misplaced',
    `The manifest of ${expected} is that of ${id} of ${database}`,
    'The bucket was changed by another hand: restore the object from a former version.',
  );
}

/** A backup's entry as its job would have left it, as far as the manifest tells. */
function listedAs(manifest: Manifest | IncrementManifest, { storedAt, lockedUntil }: StoredManifest): Backup {
  const { tables, rows, bytes, stored_bytes, objects } = manifest.totals;
  const { id, database, backup_type, custom_name, requested_by, created_at, ended_at, server_version } = manifest;
  return {
    id,
    database,
    backup_type,
    custom_name,
    ...selectionOf(manifest),
    increment: manifest.backup_type === 'incremental' ? manifest.increment : null,
    depends_on: manifest.depends_on ?? [],
    masked: 'masking' in manifest && manifest.masking !== undefined,
    sample: sampleOf(manifest),
    incomplete: incompleteOf(manifest),
    status: 'available',
    job_id: UNKNOWN_JOB,
    requested_by,
    created_at,
    snapshot_at: new Date(manifest.snapshot.taken_at).toISOString(),
    ended_at,
    stored_at: storedAt?.toISOString() ?? null,
    locked_until: lockedUntil?.toISOString() ?? null,
    expires_at: null,
    retention: null,
    server_version,
    tables,
    rows,
    bytes,
    stored_bytes,
    objects,
    // Only the State table kept them.
    last_validation: null,
    last_drill: null,
    proven_at: null,
    damage: null,
    error: null,
    progress: null,
  };
}

function selectionOf(manifest: Manifest | IncrementManifest): Pick<Backup, 'include' | 'exclude'> {
  const selection = manifest.backup_type === 'incremental' ? null : manifest.selection;
  return { include: selection?.include ?? null, exclude: selection?.exclude ?? null };
}

function sampleOf(manifest: Manifest | IncrementManifest): Backup['sample'] {
  const sample = manifest.backup_type === 'incremental' ? undefined : manifest.sample;
  return sample ? { percent: sample.percent, tables: sample.tables } : null;
}
