import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { type ObjectStore, readObject, type StoredObject, writeWhole } from '../../backup/objects/object-store.ts';
import type { AuditRecord } from '../../contract/schemas/audit.ts';
import {
  archivePath,
  auditLocation,
  chainOfFolder,
  chainPrefixes,
  type PlaceOfSeal,
  placeOfSealedObject,
  rangeOfArchive,
  recordsPrefix,
  sealedObjectPath,
} from './layout.ts';
import { recordKey } from './record.ts';

/** Records of one object of the archive: some megabytes at most. */
const RECORDS_PER_OBJECT = 2000;
const COMPRESSION_LEVEL = 3;
/** Of a thousand names each: with one for every quarter of an hour, those of thirty years. */
const MAX_PAGES = 1000;

type Bucket = Pick<ObjectStore, 's3' | 'bucket'>;

export interface Listed {
  key: string;
  /** When it was stored, by S3's clock. */
  storedAt: Date;
}

async function list(
  { s3, bucket }: Bucket,
  input: { Prefix: string; StartAfter?: string | undefined; Delimiter?: string },
  signal: AbortSignal,
): Promise<{ objects: Listed[]; folders: string[] }> {
  const objects: Listed[] = [];
  const folders: string[] = [];
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer: ListObjectsV2CommandOutput = await s3.send(
      new ListObjectsV2Command({ Bucket: bucket, ...input, ...(token ? { ContinuationToken: token } : {}) }),
      { abortSignal: signal },
    );
    for (const { Key: key, LastModified: storedAt = new Date(0) } of answer.Contents ?? []) {
      if (key !== undefined) objects.push({ key, storedAt });
    }
    folders.push(...(answer.CommonPrefixes ?? []).flatMap(({ Prefix }) => Prefix ?? []));
    token = answer.NextContinuationToken;
    if (!token) break;
  }
  return { objects, folders };
}

/** All objects below a prefix, in the order of their keys. @param after - only those whose keys come after it */
export async function listObjects(
  store: Bucket,
  prefix: string,
  signal: AbortSignal,
  after?: string,
): Promise<Listed[]> {
  const { objects } = await list(store, { Prefix: prefix, StartAfter: after }, signal);
  return objects.sort((one, other) => (one.key < other.key ? -1 : 1));
}

/** The chains that the archive has something of. */
export async function listArchivedChains(store: Bucket, signal: AbortSignal): Promise<string[]> {
  const folders: string[] = [];
  for (const Prefix of chainPrefixes) folders.push(...(await list(store, { Prefix, Delimiter: '/' }, signal)).folders);
  return folders.flatMap((folder) => chainOfFolder(folder) ?? []);
}

/** An object of the archive. */
export interface ArchivedObject {
  /** Below the chain's prefix. */
  path: string;
  storedAt: Date;
  /** The seal that it was written for; null for one of former times. */
  seal: PlaceOfSeal | null;
  /** Of one of former times, the last record and its key. */
  last: { sequence: number; key: string } | null;
}

/** What the archive has of a chain, in the order in which it was written. */
export async function listArchive(store: Bucket, chain: string, signal: AbortSignal): Promise<ArchivedObject[]> {
  const objects = await listObjects(store, recordsPrefix(chain), signal);
  // Those of former times have names that begin with smaller numbers.
  return objects.flatMap(({ key, storedAt }) => {
    const seal = placeOfSealedObject(key);
    if (seal) return { path: sealedObjectPath(seal), storedAt, seal, last: null };
    const former = rangeOfArchive(key);
    if (!former) return [];
    const last = { sequence: former.last, key: former.lastKey };
    return { path: archivePath(former), storedAt, seal: null, last };
  });
}

/**
 * Stores records as JSON lines, compressed and encrypted as a backup's objects are, some thousand in each object.
 *
 * @param records - those of each shard in their order
 */
export async function writeArchive(
  store: ObjectStore,
  chain: string,
  place: PlaceOfSeal,
  records: readonly AuditRecord[],
  signal: AbortSignal,
): Promise<StoredObject[]> {
  const stored: StoredObject[] = [];
  for (let start = 0; start < records.length; start += RECORDS_PER_OBJECT) {
    const path = sealedObjectPath({ ...place, part: stored.length + 1 });
    const lines = records.slice(start, start + RECORDS_PER_OBJECT).map((record) => `${JSON.stringify(record)}\n`);
    const options = { compressionLevel: COMPRESSION_LEVEL, signal };
    stored.push(await writeWhole(store, auditLocation(chain), path, Buffer.from(lines.join('')), options));
  }
  return stored;
}

/**
 * The records of one object of the archive, as items of the table would be.
 *
 * @throws OperationError `object_damaged` and others of the store
 */
export async function* readArchive(
  store: ObjectStore,
  chain: string,
  { path }: Pick<ArchivedObject, 'path'>,
  signal: AbortSignal,
): AsyncGenerator<Record<string, unknown>> {
  let rest = '';
  const decoder = new TextDecoder('utf-8');
  for await (const block of readObject(store, auditLocation(chain), path, { compressed: true, signal })) {
    const lines = (rest + decoder.decode(block, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const record = JSON.parse(line) as AuditRecord;
      yield { ...recordKey(record), ...record };
    }
  }
}
