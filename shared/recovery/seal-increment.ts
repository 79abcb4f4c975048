import { type IncrementManifest, parseIncrementManifest } from '../backup/increment-manifest.ts';
import { FORMAT_VERSION, MANIFEST } from '../backup/layout.ts';
import { backupLocation } from '../backup/location.ts';
import { type ObjectStore, writeWhole } from '../backup/objects/object-store.ts';
import { compareLsn, type Lsn } from '../changes/lsn.ts';
import type { SegmentDescription } from '../changes/segments/description.ts';
import { coveredUntil } from '../changes/window/coverage.ts';
import { type PlannedReplay, planReplay } from '../changes/window/plan-replay.ts';
import type { Increment } from '../contract/schemas/backup.ts';
import { OperationError } from '../errors.ts';
import { createBackupCatalog } from '../state/backups.ts';
import type { Recovery } from '../state/recovery.ts';
import type { StateTable } from '../state/table.ts';
import { type Base, listBases, readSnapshot } from './bases.ts';
import { basesOf, noBase } from './increment-possible.ts';

export interface IncrementRequest {
  id: string;
  database: string;
  customName: string | null;
  requestedBy: string;
  /** When its job began. */
  createdAt: string;
}

export interface SealDependencies {
  table: StateTable;
  store: ObjectStore;
  signal: AbortSignal;
}

/** Of one base: with one every six hours, four months. A restore repeats all of them, and the base is kept as long as any. */
export const MOST_IN_CHAIN = 500;

/**
 * Makes what was captured since the last full or incremental backup an incremental one, by writing its manifest. It is held against its
 * base first: one that could not be restored is not made.
 *
 * @param position - until where changes are stored, and with that all there are
 * @returns null when the base is so new that nobody can say yet whether all that it saw is stored
 * @throws OperationError `no_base`, `window_ends`, `chain_too_long`, or one of the store
 */
export async function sealIncrement(
  request: IncrementRequest,
  { recovery, position }: { recovery: Recovery; position: Lsn },
  { table, store, signal }: SealDependencies,
): Promise<IncrementManifest | null> {
  const { database } = request;
  const { slot } = recovery;
  const bases = basesOf(recovery, await listBases(table, database)).reverse();
  const found = await planOnNewest(bases, { database, slot }, position, { store, signal });
  if (found === 'none') throw noBase(database);
  if (found === 'too new') return null;
  const { base, plan } = found;
  const stored = plan.segments.filter(({ last_lsn }) => compareLsn(last_lsn, position) <= 0);
  const last = stored.at(-1);
  if (!last) return null;
  const before = await lastIncrement(table, { base, slot });
  const number = (before?.number ?? 0) + 1;
  if (number > MOST_IN_CHAIN) throw chainTooLong(base.id);
  const follows = before?.id ?? base.id;
  const first_lsn = before?.last_lsn ?? plan.from;
  const own = stored.filter(({ last_lsn }) => compareLsn(last_lsn, first_lsn) > 0);
  const increment: Increment = {
    ...{ base: base.id, follows, number, slot },
    from: before?.until ?? base.snapshot_at,
    first_lsn,
    last_lsn: last.last_lsn,
    transactions: sum(own, ({ transactions }) => transactions),
    changes: sum(own, ({ changes }) => changes),
    segments: own.length,
  };
  const manifest = describe(request, increment, own, last);
  signal.throwIfAborted();
  const bytes = Buffer.from(JSON.stringify(manifest));
  parseIncrementManifest(bytes);
  await writeWhole(store, backupLocation(database, request.id), MANIFEST, bytes, { compressionLevel: null, signal });
  return manifest;
}

/** The newest of the bases that the slot's changes follow, and what a restore to a position repeats on it. */
async function planOnNewest(
  newestFirst: readonly Base[],
  of: { database: string; slot: string },
  lsn: Lsn,
  { store, signal }: Omit<SealDependencies, 'table'>,
): Promise<{ base: Base; plan: PlannedReplay } | 'none' | 'too new'> {
  for (const base of newestFirst) {
    try {
      const snapshot = await readSnapshot(store, base, signal);
      return { base, plan: await planReplay(store, of, snapshot, { lsn }, signal) };
    } catch (error) {
      const code = error instanceof OperationError ? error.code : null;
      if (code === 'target_not_covered' || code === 'target_before_base') return 'too new';
      if (code !== 'base_not_covered') throw error instanceof OperationError ? inWords(error) : error;
    }
  }
  return 'none';
}

function inWords(error: OperationError): OperationError {
  if (error.code !== 'window_ends') return error;
  const nextStep = 'Take a full backup; incremental ones follow it.';
  return new OperationError(error.code, error.message, nextStep, { cause: error });
}

interface LastIncrement extends Increment {
  id: string;
  until: string | null;
}

/** The end of a base's chain. */
async function lastIncrement(
  table: StateTable,
  { base, slot }: { base: Base; slot: string },
): Promise<LastIncrement | undefined> {
  const entries = await createBackupCatalog(table).entries(base.database);
  return entries
    .flatMap(({ backup: { id, status, increment, snapshot_at } }) =>
      status === 'available' && increment?.base === base.id && increment.slot === slot
        ? [{ ...increment, id, until: snapshot_at }]
        : [],
    )
    .sort((a, b) => compareLsn(a.last_lsn, b.last_lsn) || a.number - b.number)
    .at(-1);
}

function describe(
  { id, database, customName, requestedBy, createdAt }: IncrementRequest,
  increment: Increment,
  own: readonly SegmentDescription[],
  last: SegmentDescription,
): IncrementManifest {
  const names = (of: (segment: SegmentDescription) => readonly string[]): string[] =>
    [...new Set(own.flatMap(of))].sort();
  return {
    format: FORMAT_VERSION,
    ...{ id, database, backup_type: 'incremental', custom_name: customName, requested_by: requestedBy },
    depends_on: [...new Set([increment.base, increment.follows])],
    created_at: createdAt,
    ended_at: new Date().toISOString(),
    snapshot: { taken_at: coveredUntil(last) },
    server_version: last.server_version,
    increment,
    segments: own.map(({ first_lsn, last_lsn, bytes, object }) => ({ first_lsn, last_lsn, bytes, object })),
    totals: {
      tables: names(({ tables }) => tables.map(({ table }) => table)).length,
      rows: null,
      bytes: sum(own, ({ bytes }) => bytes),
      stored_bytes: sum(own, ({ object }) => object?.stored_bytes ?? 0),
      objects: 1 + sum(own, ({ object }) => (object ? 2 : 1)),
    },
    warnings: names(({ without_identity }) => without_identity).map(
      (table) =>
        `Rows of ${table} were updated or deleted, which cannot be repeated, as it has no replica identity: restore without it, and give it a primary key`,
    ),
  };
}

function sum(segments: readonly SegmentDescription[], of: (segment: SegmentDescription) => number): number {
  return segments.reduce((total, segment) => total + of(segment), 0);
}

function chainTooLong(base: string): OperationError {
  return new OperationError(
    'chain_too_long',
    `${MOST_IN_CHAIN} incremental backups follow the full backup ${base} already`,
    'Take a full backup; incremental ones follow it.',
  );
}
