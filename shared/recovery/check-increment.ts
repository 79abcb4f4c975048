import { type IncrementManifest, parseIncrementManifest } from '../backup/increment-manifest.ts';
import { backupLocation } from '../backup/location.ts';
import {
  type CheckPosition,
  type IntegrityDependencies,
  type IntegrityRound,
  MAX_NAMED,
  openManifest,
} from '../backup/validate/check-integrity.ts';
import { checkObject } from '../backup/validate/check-object.ts';
import { changesLocation, descriptionPath } from '../changes/segments/layout.ts';
import { readDescription } from '../changes/segments/stored-segments.ts';
import type { DamagedObject } from '../contract/schemas/validation.ts';
import { OperationError } from '../errors.ts';
import { type ProgressMeter, startProgress } from '../progress/progress.ts';

type StoredSegment = IncrementManifest['segments'][number];

/**
 * Reads the segments of an incremental backup, one after the other, and holds each against the manifest. Those of its base and of the
 * incremental backups before it are theirs to be checked.
 *
 * @param from - where an earlier round ended
 * @throws OperationError `store_failed`, `key_refused` or `bucket_missing`, which say nothing of the backup
 */
export async function checkIncrement(
  { database, backupId }: { database: string; backupId: string },
  from: CheckPosition,
  { store, report, signal, timeIsOver }: IntegrityDependencies,
): Promise<IntegrityRound> {
  const source = { store, location: backupLocation(database, backupId) };
  const manifest = await openManifest(source, { database, backupId }, parseIncrementManifest, signal);
  if ('damage' in manifest) return { left: null, objects: 1, damagedObjects: 1, damaged: [manifest.damage] };
  const { segments, increment, totals } = manifest;
  const round: IntegrityRound = { left: null, objects: from.next === 0 ? 1 : 0, damagedObjects: 0, damaged: [] };
  const progress = startProgress(report);
  progress.total({ bytes: totals.bytes });
  progress.phase('reading');
  progress.add({ bytes: segments.slice(0, from.next).reduce((total, { bytes }) => total + bytes, 0) });
  try {
    for (let next = from.next; next < segments.length; next++) {
      const segment = segments[next] as StoredSegment;
      try {
        timeIsOver.throwIfAborted();
        const reading = { store, of: { database, slot: increment.slot }, progress };
        const found = await checkSegment(segment, reading, AbortSignal.any([signal, timeIsOver]));
        round.objects += segment.object ? 2 : 1;
        round.damagedObjects += found.length;
        round.damaged.push(...found.slice(0, MAX_NAMED - round.damaged.length));
      } catch (error) {
        if (signal.aborted || !timeIsOver.aborted) throw error;
        return { ...round, left: { next, again: [] } };
      }
    }
    return round;
  } finally {
    await progress.close();
  }
}

interface Reading extends Pick<IntegrityDependencies, 'store'> {
  of: { database: string; slot: string };
  progress: ProgressMeter;
}

/** Failures to read a description that are its own. */
const OF_THE_DESCRIPTION: ReadonlySet<string> = new Set([
  'object_missing',
  'object_misplaced',
  'object_damaged',
  'changes_unreadable',
]);

async function checkSegment(
  { first_lsn: firstLsn, last_lsn: lastLsn, bytes, object }: StoredSegment,
  { store, of, progress }: Reading,
  signal: AbortSignal,
): Promise<DamagedObject[]> {
  const range = { firstLsn, lastLsn };
  const found: DamagedObject[] = [];
  const damaged = (path: string, code: string, message: string) =>
    found.push({ path: `changes/${of.slot}/${path}`, code, message });
  try {
    await readDescription(store, of, range, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof OperationError) || !OF_THE_DESCRIPTION.has(error.code)) throw error;
    damaged(descriptionPath(range), error.code, error.message);
  }
  if (!object) return found;
  const source = { store, location: changesLocation(of.database, of.slot) };
  const lines = { expected: object, content: { rows: null, bytes }, table: null };
  const damage = await checkObject(source, lines, { onBytes: (more) => progress.add({ bytes: more }), signal });
  if (damage) damaged(damage.path, damage.code, damage.message);
  return found;
}
