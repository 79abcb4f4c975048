import { localAccount } from '../account.ts';
import { AwsError } from '../errors.ts';
import { readBody } from '../http.ts';
import { escapeXml } from '../xml.ts';
import { bucketOf, type Call, type S3Operation, sendEmpty, sendXml } from './call.ts';
import { NO_VERSION, type StoredObject, versionsOf } from './store.ts';

/** Configurations of a bucket that are kept and given back: sub-resource, API name, and the error when there is none. */
export const configurations: Readonly<Record<string, { noun: string; missing: string | null }>> = {
  versioning: { noun: 'BucketVersioning', missing: null },
  encryption: { noun: 'BucketEncryption', missing: 'ServerSideEncryptionConfigurationNotFoundError' },
  lifecycle: { noun: 'BucketLifecycleConfiguration', missing: 'NoSuchLifecycleConfiguration' },
  policy: { noun: 'BucketPolicy', missing: 'NoSuchBucketPolicy' },
  tagging: { noun: 'BucketTagging', missing: 'NoSuchTagSet' },
  cors: { noun: 'BucketCors', missing: 'NoSuchCORSConfiguration' },
  publicAccessBlock: { noun: 'PublicAccessBlock', missing: 'NoSuchPublicAccessBlockConfiguration' },
  ownershipControls: { noun: 'BucketOwnershipControls', missing: 'OwnershipControlsNotFoundError' },
  'object-lock': { noun: 'ObjectLockConfiguration', missing: 'ObjectLockConfigurationNotFoundError' },
  logging: { noun: 'BucketLogging', missing: null },
  notification: { noun: 'BucketNotificationConfiguration', missing: null },
  replication: { noun: 'BucketReplication', missing: 'ReplicationConfigurationNotFoundError' },
};

const emptyDocuments: Readonly<Record<string, string>> = {
  versioning: '<VersioningConfiguration/>',
  logging: '<BucketLoggingStatus/>',
  notification: '<NotificationConfiguration/>',
};

const subresourceOf = ({ query }: Call) => Object.keys(configurations).find((name) => query.has(name)) ?? '';

const putConfiguration: S3Operation = async (call) => {
  const bucket = bucketOf(call);
  await call.store.configure(bucket, subresourceOf(call), (await readBody(call.request)).toString('utf8'));
  sendEmpty(call, 200);
};

const getConfiguration: S3Operation = (call) => {
  const name = subresourceOf(call);
  const document = bucketOf(call).configurations[name] ?? emptyDocuments[name];
  if (document === undefined)
    throw new AwsError(configurations[name]?.missing ?? 'NoSuchKey', `The bucket has no ${name} configuration`, 404);
  call.response.writeHead(200, {
    'content-type': name === 'policy' ? 'application/json' : 'application/xml',
    'content-length': Buffer.byteLength(document),
  });
  call.response.end(document);
};

const deleteConfiguration: S3Operation = async (call) => {
  await call.store.configure(bucketOf(call), subresourceOf(call), null);
  sendEmpty(call, 204);
};

const createBucket: S3Operation = async (call) => {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(call.bucketName))
    throw new AwsError('InvalidBucketName', 'The specified bucket is not valid.');
  // Sent only from us-east-1, where creating one's own bucket again succeeds; the local stack relies on neither.
  if (call.store.buckets.has(call.bucketName))
    throw new AwsError('BucketAlreadyOwnedByYou', 'You own a bucket of this name already.', 409);
  await call.store.createBucket(call.bucketName);
  sendEmpty(call, 200, { location: `/${call.bucketName}` });
};

const deleteBucket: S3Operation = async (call) => {
  const bucket = bucketOf(call);
  if (bucket.objects.size + bucket.former.size > 0)
    throw new AwsError('BucketNotEmpty', 'The bucket you tried to delete is not empty.', 409);
  await call.store.deleteBucket(bucket);
  sendEmpty(call, 204);
};

const headBucket: S3Operation = (call) => {
  bucketOf(call);
  sendEmpty(call, 200, { 'x-amz-bucket-region': localAccount.region });
};

const listBuckets: S3Operation = (call) => {
  const items = [...call.store.buckets.values()].map(
    ({ name, createdAt }) =>
      `<Bucket><Name>${name}</Name><CreationDate>${new Date(createdAt).toISOString()}</CreationDate></Bucket>`,
  );
  sendXml(
    call,
    'ListAllMyBucketsResult',
    `<Owner><ID>${localAccount.accountId}</ID></Owner><Buckets>${items.join('')}</Buckets>`,
  );
};

const getBucketLocation: S3Operation = (call) => {
  bucketOf(call);
  // An empty constraint means us-east-1.
  sendXml(call, 'LocationConstraint', '');
};

type Page = { objects: StoredObject[]; prefixes: string[]; next: string | null };

/** One page of a listing: keys after `after` in order, those sharing a prefix up to the delimiter rolled into one. */
function listPage(objects: ReadonlyMap<string, StoredObject>, after: string, query: URLSearchParams): Page {
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const limit = Math.min(Number(query.get('max-keys') ?? 1000), 1000);
  const page: Page = { objects: [], prefixes: [], next: null };
  let last = after;
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  for (const key of keys) {
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const rolled = cut < 0 ? null : key.slice(0, cut + delimiter.length);
    if (rolled !== null && rolled === page.prefixes.at(-1)) continue;
    if (page.objects.length + page.prefixes.length >= limit) return { ...page, next: last };
    const object = objects.get(key);
    if (rolled !== null) page.prefixes.push(rolled);
    else if (object) page.objects.push(object);
    // After a rolled-up prefix the next page begins behind all of its keys.
    last = rolled === null ? key : `${rolled}\uffff`;
  }
  return page;
}

const encodeToken = (key: string) => Buffer.from(key).toString('base64url');
const decodeToken = (token: string) => Buffer.from(token, 'base64url').toString();

function describeListed({ key, modifiedAt, etag, size }: StoredObject, extra = ''): string {
  const storage = '<StorageClass>STANDARD</StorageClass>';
  return `<Key>${escapeXml(key)}</Key><LastModified>${new Date(modifiedAt).toISOString()}</LastModified><ETag>${escapeXml(etag)}</ETag><Size>${size}</Size>${storage}${extra}`;
}

const commonPrefixes = (prefixes: readonly string[]) =>
  prefixes.map((one) => `<CommonPrefixes><Prefix>${escapeXml(one)}</Prefix></CommonPrefixes>`).join('');

const listObjectsV2: S3Operation = (call) => {
  const { query } = call;
  const token = query.get('continuation-token');
  const { objects, prefixes, next } = listPage(
    bucketOf(call).objects,
    token ? decodeToken(token) : (query.get('start-after') ?? ''),
    query,
  );
  const paging = `<IsTruncated>${next !== null}</IsTruncated>${next === null ? '' : `<NextContinuationToken>${encodeToken(next)}</NextContinuationToken>`}`;
  const items = objects.map((object) => `<Contents>${describeListed(object)}</Contents>`).join('');
  const head = `<Name>${call.bucketName}</Name><Prefix>${escapeXml(query.get('prefix') ?? '')}</Prefix><KeyCount>${objects.length + prefixes.length}</KeyCount>`;
  sendXml(call, 'ListBucketResult', head + paging + items + commonPrefixes(prefixes));
};

const listObjects: S3Operation = (call) => {
  const { objects, prefixes, next } = listPage(bucketOf(call).objects, call.query.get('marker') ?? '', call.query);
  const paging = `<IsTruncated>${next !== null}</IsTruncated>${next === null ? '' : `<NextMarker>${escapeXml(next)}</NextMarker>`}`;
  const items = objects.map((object) => `<Contents>${describeListed(object)}</Contents>`).join('');
  sendXml(call, 'ListBucketResult', `<Name>${call.bucketName}</Name>${paging}${items}${commonPrefixes(prefixes)}`);
};

const listObjectVersions: S3Operation = (call) => {
  const { query } = call;
  const bucket = bucketOf(call);
  const limit = Math.min(Number(query.get('max-keys') ?? 1000), 1000);
  const prefix = query.get('prefix') ?? '';
  const all = versionsOf(bucket).filter(({ key }) => key.startsWith(prefix));
  const [afterKey, marker] = [query.get('key-marker') ?? '', query.get('version-id-marker')];
  // What the markers name need not be there any more. Of one key, later versions come first.
  const isBefore = ({ key, versionId = '' }: StoredObject): boolean =>
    key < afterKey || (key === afterKey && (marker ? versionId >= (marker === NO_VERSION ? '' : marker) : true));
  const begin = all.filter(isBefore).length;
  const page = all.slice(begin, begin + limit);
  const last = page.at(-1);
  const isTruncated = last !== undefined && begin + limit < all.length;
  const items = page.map((object, index) => {
    const isLatest = (page[index - 1] ?? all[begin - 1])?.key !== object.key;
    const version = `<VersionId>${object.versionId ?? NO_VERSION}</VersionId><IsLatest>${isLatest}</IsLatest>`;
    if (!object.isDeleteMarker) return `<Version>${describeListed(object, version)}</Version>`;
    return `<DeleteMarker><Key>${escapeXml(object.key)}</Key><LastModified>${new Date(object.modifiedAt).toISOString()}</LastModified>${version}</DeleteMarker>`;
  });
  const next = isTruncated
    ? `<NextKeyMarker>${escapeXml(last.key)}</NextKeyMarker><NextVersionIdMarker>${last.versionId ?? NO_VERSION}</NextVersionIdMarker>`
    : '';
  const paging = `<IsTruncated>${isTruncated}</IsTruncated>${next}`;
  sendXml(call, 'ListVersionsResult', `<Name>${call.bucketName}</Name>${paging}${items.join('')}`);
};

export const bucketOperations: Readonly<Record<string, S3Operation>> = {
  ListBuckets: listBuckets,
  CreateBucket: createBucket,
  DeleteBucket: deleteBucket,
  HeadBucket: headBucket,
  GetBucketLocation: getBucketLocation,
  ListObjectsV2: listObjectsV2,
  ListObjects: listObjects,
  ListObjectVersions: listObjectVersions,
  ...Object.fromEntries(
    Object.values(configurations).flatMap(({ noun }) => [
      [`Put${noun}`, putConfiguration],
      [`Get${noun}`, getConfiguration],
      [`Delete${noun}`, deleteConfiguration],
    ]),
  ),
};
