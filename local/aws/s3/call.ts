import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Access } from '../../iam/access.ts';
import { AwsError } from '../errors.ts';
import { type Bucket, NO_VERSION, type Store, type StoredObject, type Upload, versionsOf } from './store.ts';

/** One request as the operations see it. */
export type Call = {
  store: Store;
  request: IncomingMessage;
  response: ServerResponse;
  bucketName: string;
  key: string;
  query: URLSearchParams;
  /** The access key id that the request is signed with. */
  caller: string | undefined;
  access: Access;
};

export type S3Operation = (call: Call) => Promise<void> | void;

export function bucketOf({ store, bucketName }: Call): Bucket {
  const bucket = store.buckets.get(bucketName);
  if (!bucket) throw new AwsError('NoSuchBucket', `The specified bucket does not exist: ${bucketName}`, 404);
  return bucket;
}

export function objectOf(bucket: Bucket, key: string): StoredObject {
  const object = bucket.objects.get(key);
  if (!object) throw new AwsError('NoSuchKey', `The specified key does not exist: ${key}`, 404);
  return object;
}

/** The version that a request names, or the current one. */
export function requestedObject(bucket: Bucket, { key, query }: Call): StoredObject {
  const version = query.get('versionId');
  if (version === null) return objectOf(bucket, key);
  const found = versionsOf(bucket, key).find(({ versionId = NO_VERSION }) => versionId === version);
  if (!found || found.isDeleteMarker)
    throw new AwsError('NoSuchVersion', `The specified version does not exist: ${key} ${version}`, 404);
  return found;
}

export function uploadOf(bucket: Bucket, { key, query }: Call): Upload {
  const upload = bucket.uploads.get(query.get('uploadId') ?? '');
  if (!upload || upload.key !== key) {
    throw new AwsError(
      'NoSuchUpload',
      'The specified upload does not exist; it may have been aborted or completed.',
      404,
    );
  }
  return upload;
}

/** Answers with an XML document. */
export function sendXml({ response }: Call, root: string, content: string, headers: Record<string, string> = {}): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${root}>`;
  response.writeHead(200, { ...headers, 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** Answers without a body. */
export function sendEmpty({ response }: Call, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, { ...headers, ...(status === 204 ? {} : { 'content-length': '0' }) });
  response.end();
}

export function header({ request }: Call, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Headers in which S3 tells of an object's lock. */
export const LOCK_MODE = 'x-amz-object-lock-mode';
export const LOCKED_UNTIL = 'x-amz-object-lock-retain-until-date';

const keptHeaders = [
  'cache-control',
  'content-disposition',
  'content-language',
  'content-type',
  'expires',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-amz-server-side-encryption-bucket-key-enabled',
  'x-amz-storage-class',
  LOCK_MODE,
  LOCKED_UNTIL,
];

/** The headers of a new object that its reader gets back; the bucket's default encryption stands in for one not given. */
export function objectHeaders(call: Call, bucket: Bucket): Record<string, string> {
  const kept: Record<string, string> = { 'content-type': 'binary/octet-stream' };
  for (const [name, value] of Object.entries(call.request.headers)) {
    if (typeof value === 'string' && (keptHeaders.includes(name) || name.startsWith('x-amz-meta-'))) kept[name] = value;
  }
  const encoding = (header(call, 'content-encoding') ?? '')
    .split(/ *, */)
    .filter((one) => one !== '' && one !== 'aws-chunked');
  if (encoding.length > 0) kept['content-encoding'] = encoding.join(', ');
  return {
    ...(kept['x-amz-server-side-encryption'] ? {} : defaultEncryption(bucket)),
    ...(kept[LOCKED_UNTIL] ? {} : defaultLock(bucket)),
    ...kept,
  };
}

const DAY_MS = 86_400_000;

/**
 * The lock that the bucket gives to new objects, which keeps a version from being deleted by its id.
 */
function defaultLock({ configurations: { 'object-lock': lock = '' } }: Bucket): Record<string, string> {
  const mode = /<Mode>(.*?)<\/Mode>/.exec(lock)?.[1];
  const days = Number(/<Days>(.*?)<\/Days>/.exec(lock)?.[1]);
  return mode && days ? { [LOCK_MODE]: mode, [LOCKED_UNTIL]: new Date(Date.now() + days * DAY_MS).toISOString() } : {};
}

function defaultEncryption({ configurations: { encryption = '' } }: Bucket): Record<string, string> {
  const algorithm = /<SSEAlgorithm>(.*?)<\/SSEAlgorithm>/.exec(encryption)?.[1] ?? 'AES256';
  const keyId = /<KMSMasterKeyID>(.*?)<\/KMSMasterKeyID>/.exec(encryption)?.[1];
  return {
    'x-amz-server-side-encryption': algorithm,
    ...(keyId ? { 'x-amz-server-side-encryption-aws-kms-key-id': keyId } : {}),
  };
}

/** The part of an object's headers that the answer to its creation repeats. */
export function encryptionHeaders(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith('x-amz-server-side-encryption')),
  );
}
