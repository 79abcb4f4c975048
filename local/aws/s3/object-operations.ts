import { randomBytes } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { AwsError } from '../errors.ts';
import { readBody } from '../http.ts';
import { elements, elementText, escapeXml } from '../xml.ts';
import {
  bucketOf,
  type Call,
  encryptionHeaders,
  header,
  LOCK_MODE,
  LOCKED_UNTIL,
  objectHeaders,
  objectOf,
  requestedObject,
  type S3Operation,
  sendEmpty,
  sendXml,
} from './call.ts';
import { checkDeletion } from './deletion.ts';
import { receive } from './receive.ts';
import type { Bucket, Piece, Store, StoredObject } from './store.ts';

/** S3's ETag is the MD5 of the bytes, except under SSE-KMS, where it is nothing one could compute: this spares hashing backups. */
export const hashesToMd5 = (headers: Record<string, string>) => headers['x-amz-server-side-encryption'] !== 'aws:kms';

export const newEtag = (md5: string | null) => `"${md5 ?? randomBytes(16).toString('hex')}"`;

/** @throws AwsError `PreconditionFailed` when `If-None-Match: *` or `If-Match` forbids the write. */
export function checkWriteCondition(call: Call, bucket: Bucket): void {
  const existing = bucket.objects.get(call.key);
  const match = header(call, 'if-match');
  const failed =
    (header(call, 'if-none-match') === '*' && existing) || (match !== undefined && existing && match !== existing.etag);
  if (failed)
    throw new AwsError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412);
  if (match !== undefined && !existing) throw new AwsError('NoSuchKey', 'The specified key does not exist.', 404);
}

const putObject: S3Operation = async (call) => {
  const bucket = bucketOf(call);
  checkWriteCondition(call, bucket);
  const headers = objectHeaders(call, bucket);
  const { file, path } = call.store.newFile(bucket);
  const { size, md5, checksum } = await receive(call.request, path, hashesToMd5(headers));
  try {
    // Another writer may have come first while the body arrived.
    checkWriteCondition(call, bucket);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  const etag = newEtag(md5);
  await call.store.putObject(bucket, {
    key: call.key,
    pieces: [{ file, size }],
    size,
    etag,
    modifiedAt: Date.now(),
    headers,
    checksum,
  });
  sendEmpty(call, 200, {
    etag,
    ...encryptionHeaders(headers),
    ...(checksum ? { [checksum.name]: checksum.value } : {}),
  });
};

const copyObject: S3Operation = async (call) => {
  const [, sourceBucket = '', sourceKey = ''] =
    /^\/?([^/]+)\/(.+?)(?:\?versionId=.*)?$/.exec(decodeURIComponent(header(call, 'x-amz-copy-source') ?? '')) ?? [];
  const source = bucketOf({ ...call, bucketName: sourceBucket });
  const object = objectOf(source, sourceKey);
  const bucket = bucketOf(call);
  const pieces: Piece[] = [];
  for (const piece of object.pieces) {
    const { file, path } = call.store.newFile(bucket);
    await copyFile(call.store.pathOf(source, piece.file), path, constants.COPYFILE_FICLONE);
    pieces.push({ file, size: piece.size });
  }
  const given = objectHeaders(call, bucket);
  const replaced = header(call, 'x-amz-metadata-directive') === 'REPLACE';
  const headers = replaced ? given : { ...object.headers, ...encryptionHeaders(given) };
  const copy: StoredObject = { ...object, key: call.key, pieces, headers, modifiedAt: Date.now() };
  await call.store.putObject(bucket, copy);
  sendXml(
    call,
    'CopyObjectResult',
    `<ETag>${escapeXml(copy.etag)}</ETag><LastModified>${new Date(copy.modifiedAt).toISOString()}</LastModified>`,
  );
};

/** `bytes=a-b`, `bytes=a-` or `bytes=-n` as an inclusive span. @throws AwsError `InvalidRange` */
function rangeOf(call: Call, size: number): { start: number; end: number } | null {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(header(call, 'range') ?? '') ?? [];
  if (from === '' && to === '') return null;
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (start > end) throw new AwsError('InvalidRange', 'The requested range is not satisfiable', 416);
  return { start, end };
}

const getObject: S3Operation = async (call) => {
  const bucket = bucketOf(call);
  const object = requestedObject(bucket, call);
  const match = header(call, 'if-match');
  if (match !== undefined && match !== object.etag)
    throw new AwsError('PreconditionFailed', 'The object has another ETag', 412);
  if (header(call, 'if-none-match') === object.etag) return sendEmpty(call, 304, { etag: object.etag });
  const range = rangeOf(call, object.size);
  const headers: Record<string, string> = {
    ...object.headers,
    etag: object.etag,
    'accept-ranges': 'bytes',
    'last-modified': new Date(object.modifiedAt).toUTCString(),
    'content-length': String(range ? range.end - range.start + 1 : object.size),
    ...(range ? { 'content-range': `bytes ${range.start}-${range.end}/${object.size}` } : {}),
  };
  if (object.checksum && !range && header(call, 'x-amz-checksum-mode') === 'ENABLED')
    headers[object.checksum.name] = object.checksum.value;
  for (const [name, value] of call.query)
    if (name.startsWith('response-')) headers[name.slice('response-'.length)] = value;
  call.response.writeHead(range ? 206 : 200, headers);
  if (call.request.method === 'HEAD') call.response.end();
  else
    await pipeline(readPieces(call.store, bucket, object, range ?? { start: 0, end: object.size - 1 }), call.response);
};

/** The bytes of a span of an object, piece by piece. */
async function* readPieces(
  store: Store,
  bucket: Bucket,
  object: StoredObject,
  span: { start: number; end: number },
): AsyncGenerator<Buffer> {
  let at = 0;
  for (const { file, size } of object.pieces) {
    const start = Math.max(0, span.start - at);
    const end = Math.min(size - 1, span.end - at);
    at += size;
    if (start <= end) yield* createReadStream(store.pathOf(bucket, file), { start, end, highWaterMark: 256 * 1024 });
  }
}

const getObjectRetention: S3Operation = (call) => {
  const bucket = bucketOf(call);
  const { headers } = requestedObject(bucket, call);
  if (!bucket.configurations['object-lock'])
    throw new AwsError('InvalidRequest', 'Bucket is missing Object Lock Configuration');
  const until = headers[LOCKED_UNTIL];
  if (!until) throw new AwsError('NoSuchObjectLockConfiguration', 'The object has no object lock configuration', 404);
  sendXml(
    call,
    'Retention',
    `<Mode>${escapeXml(headers[LOCK_MODE] ?? '')}</Mode><RetainUntilDate>${escapeXml(until)}</RetainUntilDate>`,
  );
};

const asksToBypass = (call: Call): boolean => header(call, 'x-amz-bypass-governance-retention') === 'true';

const deleteObject: S3Operation = async (call) => {
  const bucket = bucketOf(call);
  checkDeletion(bucket, call.key, call.query.get('versionId'), { bypass: asksToBypass(call), call });
  await call.store.deleteObject(bucket, call.key, call.query.get('versionId'));
  sendEmpty(call, 204);
};

const deleteObjects: S3Operation = async (call) => {
  const bucket = bucketOf(call);
  const document = (await readBody(call.request)).toString('utf8');
  const named = elements(document, 'Object').map((element) => ({
    key: elementText(element, 'Key') ?? '',
    version: elementText(element, 'VersionId') ?? null,
  }));
  if (named.length === 0 || named.length > 1000)
    throw new AwsError('MalformedXML', 'DeleteObjects takes 1 to 1000 keys');
  const deleted: string[] = [];
  const refused: string[] = [];
  for (const { key, version } of named) {
    try {
      checkDeletion(bucket, key, version, { bypass: asksToBypass(call), call });
      await call.store.deleteObject(bucket, key, version);
      deleted.push(`<Deleted><Key>${escapeXml(key)}</Key></Deleted>`);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      refused.push(
        `<Error><Key>${escapeXml(key)}</Key>${version === null ? '' : `<VersionId>${escapeXml(version)}</VersionId>`}<Code>${error.code}</Code><Message>${error.message}</Message></Error>`,
      );
    }
  }
  const quiet = elementText(document, 'Quiet') === 'true';
  sendXml(call, 'DeleteResult', [...(quiet ? [] : deleted), ...refused].join(''));
};

export const objectOperations: Readonly<Record<string, S3Operation>> = {
  PutObject: putObject,
  CopyObject: copyObject,
  GetObject: getObject,
  HeadObject: getObject,
  GetObjectRetention: getObjectRetention,
  DeleteObject: deleteObject,
  DeleteObjects: deleteObjects,
};
