import { listPages } from '../../backup/listing.ts';
import { type ObjectStore, readObject, readWhole, writeWhole } from '../../backup/objects/object-store.ts';
import { compareLsn, type Lsn, lsnDigits } from '../lsn.ts';
import {
  parseStored,
  type SegmentDescription,
  type SlotRecord,
  segmentDescriptionSchema,
  slotRecordSchema,
} from './description.ts';
import {
  changesLocation,
  changesPrefix,
  descriptionPath,
  rangeOfDescription,
  type SegmentRange,
  SLOT_RECORD,
} from './layout.ts';

/** One slot's changes in the bucket. */
export interface ChangesOf {
  database: string;
  slot: string;
}

/** Writes a segment's description, and with it makes the segment exist. */
export async function writeDescription(
  store: ObjectStore,
  description: SegmentDescription,
  signal: AbortSignal,
): Promise<void> {
  const { database, slot, first_lsn: firstLsn, last_lsn: lastLsn } = description;
  const path = descriptionPath({ firstLsn, lastLsn });
  const bytes = Buffer.from(JSON.stringify(segmentDescriptionSchema.parse(description)));
  await writeWhole(store, changesLocation(database, slot), path, bytes, { compressionLevel: null, signal });
}

export async function readDescription(
  store: ObjectStore,
  { database, slot }: ChangesOf,
  range: SegmentRange,
  signal: AbortSignal,
): Promise<SegmentDescription> {
  const path = descriptionPath(range);
  const bytes = await readWhole(store, changesLocation(database, slot), path, { compressed: false, signal });
  return parseStored(segmentDescriptionSchema, bytes, path);
}

/** Descriptions that are fetched at a time. */
const FETCHED_AT_A_TIME = 16;

/** Reads the descriptions of many segments, in their order. */
export async function* readDescriptions(
  store: ObjectStore,
  of: ChangesOf,
  ranges: readonly SegmentRange[],
  signal: AbortSignal,
): AsyncGenerator<SegmentDescription> {
  for (let start = 0; start < ranges.length; start += FETCHED_AT_A_TIME) {
    const group = ranges.slice(start, start + FETCHED_AT_A_TIME);
    yield* await Promise.all(group.map((range) => readDescription(store, of, range, signal)));
  }
}

export async function writeSlotRecord(store: ObjectStore, record: SlotRecord, signal: AbortSignal): Promise<void> {
  const location = changesLocation(record.database, record.slot);
  await writeWhole(store, location, SLOT_RECORD, Buffer.from(JSON.stringify(record)), {
    compressionLevel: null,
    signal,
  });
}

/** @throws OperationError `object_missing` when the slot never was one of this system's, and others of the store */
export async function readSlotRecord(
  store: ObjectStore,
  { database, slot }: ChangesOf,
  signal: AbortSignal,
): Promise<SlotRecord> {
  const bytes = await readWhole(store, changesLocation(database, slot), SLOT_RECORD, { compressed: false, signal });
  return parseStored(slotRecordSchema, bytes, SLOT_RECORD);
}

/**
 * Ranges of the segments that exist, in the order of their beginnings.
 *
 * @param from - only those that begin here or later
 * @throws OperationError `listing_too_long`
 */
export async function listSegments(
  bucket: Pick<ObjectStore, 's3' | 'bucket'>,
  { database, slot }: ChangesOf,
  from?: Lsn,
): Promise<SegmentRange[]> {
  const { prefix } = changesLocation(database, slot);
  const found: SegmentRange[] = [];
  const after = from === undefined ? {} : { StartAfter: prefix + lsnDigits(from) };
  for await (const { Contents = [] } of listPages(bucket, prefix, after)) {
    for (const { Key = '' } of Contents) {
      const range = rangeOfDescription(Key.slice(prefix.length));
      if (range) found.push(range);
    }
  }
  return found.sort((a, b) => compareLsn(a.firstLsn, b.firstLsn) || compareLsn(a.lastLsn, b.lastLsn));
}

/** Slots of a database of which there are changes in the bucket, by name, which is the order in which they were made. */
export async function listSlots(bucket: Pick<ObjectStore, 's3' | 'bucket'>, database: string): Promise<string[]> {
  const prefix = changesPrefix(database);
  const found: string[] = [];
  for await (const { CommonPrefixes = [] } of listPages(bucket, prefix, { Delimiter: '/' })) {
    found.push(...CommonPrefixes.map(({ Prefix = '' }) => Prefix.slice(prefix.length, -1)));
  }
  return found.sort();
}

/** Texts beyond 128 KiB are large objects to V8, which it lets go of late; those of lines that are worked off at once are to die young. */
const GROUP_BYTES = 32_768;

/**
 * Streams the lines of a segment, in groups, read as latin1; see `decoding/names.ts`. Each is a position, a tab, and a line of
 * `test_decoding`. The stream fails before its end when the object is not what the description says.
 */
export async function* readSegment(
  store: ObjectStore,
  { database, slot, object }: Pick<SegmentDescription, 'database' | 'slot' | 'object'>,
  signal: AbortSignal,
): AsyncGenerator<string[]> {
  if (!object) return;
  const { path } = object;
  let rest = '';
  const blocks = readObject(store, changesLocation(database, slot), path, {
    compressed: true,
    expected: object,
    signal,
  });
  for await (const block of blocks) {
    for (let at = 0; at < block.length; at += GROUP_BYTES) {
      const lines = block.toString('latin1', at, at + GROUP_BYTES).split('\n');
      lines[0] = rest + lines[0];
      rest = lines.pop() ?? '';
      if (lines.length > 0) yield lines;
    }
  }
  if (rest !== '') throw new Error(`The segment ${path} ends within a line`);
}
