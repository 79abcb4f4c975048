import type { DamagedObject } from '../../contract/schemas/validation.ts';
import type { ErrorCode } from '../../core/errors/catalogue.ts';
import { OperationError } from '../../errors.ts';
import { type ReportProgress, startProgress } from '../../progress/progress.ts';
import { runLanes } from '../export/lanes.ts';
import { MANIFEST } from '../layout.ts';
import { backupLocation } from '../location.ts';
import { type Manifest, parseManifest } from '../manifest.ts';
import { type ObjectStore, readWhole } from '../objects/object-store.ts';
import type { BackupSource } from '../restore/load-rows.ts';
import { checkObject } from './check-object.ts';
import { contradictionsOf, namedObjects } from './objects.ts';

/** Damaged objects that are named one by one: enough to act on, and far below the size limit of a job's record. */
export const MAX_NAMED = 100;

/** Objects that are read at a time. Each takes some 10 MB of memory: zstd's window and the frames in flight. */
const LANES = 4;

/** Where a check stands: what comes next in the manifest's order, and what before it was begun and not ended. */
export interface CheckPosition {
  next: number;
  again: number[];
}

export const START: CheckPosition = { next: 0, again: [] };

/** What came of one round, small enough for a durable step's result. */
export interface IntegrityRound {
  /** Where the next round goes on; null when every object was read. */
  left: CheckPosition | null;
  /** Objects read in this round, in the first one the manifest among them. */
  objects: number;
  damagedObjects: number;
  /** The first of them. */
  damaged: DamagedObject[];
}

export interface IntegrityDependencies {
  store: ObjectStore;
  report: ReportProgress;
  /** Ends the check with an error. */
  signal: AbortSignal;
  /** Ends it between two objects, and gives up what is being read, with a position to go on from. */
  timeIsOver: AbortSignal;
}

/**
 * Reads the objects of a backup, several at a time, and holds each against the manifest. Memory does not grow with the backup.
 * Everything that is damaged is named, and nothing of it ends the check.
 *
 * @param from - where an earlier round ended
 * @throws OperationError `store_failed`, `key_refused` or `bucket_missing`, which say nothing of the backup
 */
export async function checkIntegrity(
  { database, backupId }: { database: string; backupId: string },
  from: CheckPosition,
  { store, report, signal, timeIsOver }: IntegrityDependencies,
): Promise<IntegrityRound> {
  const source: BackupSource = { store, location: backupLocation(database, backupId) };
  const isFirst = from.next === 0;
  const manifest = await openManifest(source, { database, backupId }, parseManifest, signal);
  // Without it, nothing says what the others should be.
  if ('damage' in manifest) return { left: null, objects: 1, damagedObjects: 1, damaged: [manifest.damage] };

  const objects = namedObjects(manifest);
  const damaged: DamagedObject[] = isFirst
    ? contradictionsOf(manifest).map((message) => ({ path: MANIFEST, code: 'manifest_contradictory', message }))
    : [];
  let damagedObjects = damaged.length > 0 ? 1 : 0;
  const left: CheckPosition = { next: from.next, again: [] };
  let read = isFirst ? 1 : 0;

  const progress = startProgress(report);
  const count = countTables(manifest, from, (done) => progress.add(done));
  function* toRead(): Generator<number> {
    const again = [...from.again];
    while (again.length > 0 && !timeIsOver.aborted) yield again.shift() as number;
    left.again.push(...again);
    while (left.next < objects.length && !timeIsOver.aborted) yield left.next++;
  }
  try {
    progress.total({ tables: manifest.totals.tables, rows: manifest.totals.rows, bytes: manifest.totals.bytes });
    progress.phase('reading');
    await runLanes(toRead(), LANES, {
      open: async () => null,
      work: async (_lane, index, laneSignal) => {
        const object = objects[index];
        if (!object) return;
        let passed = 0;
        try {
          const found = await checkObject(source, object, {
            onBytes: (bytes) => {
              passed += bytes;
              progress.add({ bytes });
            },
            signal: AbortSignal.any([laneSignal, timeIsOver]),
          });
          read += 1;
          count(object.table, object.content?.rows ?? 0);
          if (!found) return;
          damagedObjects += 1;
          if (damaged.length < MAX_NAMED) damaged.push(found);
        } catch (error) {
          if (laneSignal.aborted || !timeIsOver.aborted) throw error;
          left.again.push(index);
          progress.add({ bytes: -passed });
        }
      },
      close: async () => undefined,
      signal,
    });
  } finally {
    await progress.close();
  }
  const isDone = left.next >= objects.length && left.again.length === 0;
  return { left: isDone ? null : left, objects: read, damagedObjects, damaged: damaged.slice(0, MAX_NAMED) };
}

/** Failures to read the manifest that are the manifest's own. */
const OF_THE_MANIFEST: ReadonlySet<string> = new Set([
  'object_missing',
  'object_misplaced',
  'object_damaged',
  'manifest_unreadable',
] satisfies ErrorCode[]);

/** Reads a backup's manifest, or says what is wrong with it. */
export async function openManifest<Described extends { id: string; database: string }>(
  { store, location }: BackupSource,
  { database, backupId }: { database: string; backupId: string },
  parse: (bytes: Buffer) => Described,
  signal: AbortSignal,
): Promise<Described | { damage: DamagedObject }> {
  const damage = (code: string, message: string) => ({ damage: { path: MANIFEST, code, message } });
  try {
    const bytes = await readWhole(store, location, MANIFEST, { compressed: false, signal });
    const manifest = parse(bytes);
    if (manifest.id === backupId && manifest.database === database) return manifest;
    return damage('object_misplaced', `It is the manifest of ${manifest.id} of ${manifest.database}`);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof OperationError) || !OF_THE_MANIFEST.has(error.code)) throw error;
    return damage(error.code, error.message);
  }
}

/** Counts rows, and tables whose objects are all read; what earlier rounds have read counts at once. */
function countTables(
  manifest: Manifest,
  { next, again }: CheckPosition,
  add: (done: Partial<Record<'tables' | 'rows' | 'bytes', number>>) => void,
): (table: number | null, rows: number) => void {
  const left = manifest.tables.map(({ chunks }) => chunks.length);
  const empty = left.filter((chunks) => chunks === 0).length;
  if (empty > 0) add({ tables: empty });
  const count = (table: number | null, rows: number): void => {
    if (table === null) return;
    left[table] = (left[table] ?? 0) - 1;
    add({ rows, tables: left[table] === 0 ? 1 : 0 });
  };
  const waiting = new Set(again);
  for (const [index, { table, content }] of namedObjects(manifest).slice(0, next).entries()) {
    if (waiting.has(index)) continue;
    add({ bytes: content?.bytes ?? 0 });
    count(table, content?.rows ?? 0);
  }
  return count;
}
