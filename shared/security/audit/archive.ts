import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { type ObjectStore, readObject, writeWhole } from '../../backup/objects/object-store.ts';
import type { AuditRecord } from '../../contract/schemas/audit.ts';
import { type ArchivedRange, archivePath, auditLocation, rangeOfArchive, recordsPrefix } from './layout.ts';
import { recordKey } from './record.ts';

/** Records of one object of the archive: some megabytes at most. */
export const RECORDS_PER_OBJECT = 2000;
const COMPRESSION_LEVEL = 3;
/** Of a thousand names each: with an object a day more than anybody keeps, with one for every hour over a century. */
const MAX_PAGES = 1000;

/** All keys below a prefix, in their order. */
export async function listKeys(
  { s3, bucket }: Pick<ObjectStore, 's3' | 'bucket'>,
  prefix: string,
  signal: AbortSignal,
): Promise<string[]> {
  const keys: string[] = [];
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer: ListObjectsV2CommandOutput = await s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...(token ? { ContinuationToken: token } : {}) }),
      { abortSignal: signal },
    );
    keys.push(...(answer.Contents ?? []).flatMap(({ Key }) => Key ?? []));
    token = answer.NextContinuationToken;
    if (!token) break;
  }
  return keys.sort();
}

/** What the archive has of a chain, in the order of the records. */
export async function listArchive(store: ObjectStore, chain: string, signal: AbortSignal): Promise<ArchivedRange[]> {
  const keys = await listKeys(store, recordsPrefix(chain), signal);
  return keys.flatMap((key) => rangeOfArchive(key) ?? []);
}

/** Stores records that follow each other as JSON lines, compressed and encrypted as a backup's objects are. */
export async function writeArchive(
  store: ObjectStore,
  chain: string,
  records: readonly AuditRecord[],
  signal: AbortSignal,
): Promise<void> {
  const [first] = records;
  const last = records.at(-1);
  if (!first || !last) return;
  const path = archivePath({ first: first.sequence, last: last.sequence }, last.at);
  const bytes = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  await writeWhole(store, auditLocation(chain), path, bytes, { compressionLevel: COMPRESSION_LEVEL, signal });
}

/**
 * The records of one object of the archive, as items of the table would be.
 *
 * @throws OperationError `object_damaged` and others of the store
 */
export async function* readArchive(
  store: ObjectStore,
  chain: string,
  { first, last, lastKey }: ArchivedRange,
  signal: AbortSignal,
): AsyncGenerator<Record<string, unknown>> {
  const path = archivePath({ first, last }, lastKey.slice(0, lastKey.indexOf('#')));
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
