import type { BackupLocation } from '../../backup/objects/object-store.ts';
import { type Lsn, lsnDigits, lsnOfDigits } from '../lsn.ts';

/** Format version of segments and their descriptions; a reader refuses a higher one. */
export const CHANGES_FORMAT = 1;

/** Where the changes of a database lie in the bucket, below a folder for each slot there has been. */
export function changesPrefix(database: string): string {
  return `databases/${database}/changes/`;
}

/** Prefix and encryption context of what one slot's changes are stored as. */
export function changesLocation(database: string, slot: string): BackupLocation {
  return { prefix: `${changesPrefix(database)}${slot}/`, context: { database, slot } };
}

/** What is known of the slot itself; see `slot-record.ts`. */
export const SLOT_RECORD = 'slot.json.enc';

/** Begins and end of what a segment covers: commits from `firstLsn` on that are complete at `lastLsn`. */
export interface SegmentRange {
  firstLsn: Lsn;
  lastLsn: Lsn;
}

const DESCRIPTION = '.json.enc';

function rangeName({ firstLsn, lastLsn }: SegmentRange): string {
  return `${lsnDigits(firstLsn)}-${lsnDigits(lastLsn)}`;
}

/** The changes: lines of `test_decoding`, below the slot's prefix. */
export function segmentPath(range: SegmentRange): string {
  return `${rangeName(range)}.zst.enc`;
}

/** What is written after the changes and says that they are there. */
export function descriptionPath(range: SegmentRange): string {
  return `${rangeName(range)}${DESCRIPTION}`;
}

/** The range that a description's path names; null for any other path. */
export function rangeOfDescription(path: string): SegmentRange | null {
  const parts = /^([0-9A-F]{16})-([0-9A-F]{16})\.json\.enc$/.exec(path);
  return parts ? { firstLsn: lsnOfDigits(parts[1] ?? ''), lastLsn: lsnOfDigits(parts[2] ?? '') } : null;
}
