import * as z from 'zod';
import { encryptionContext, via } from '../../iam/access.ts';
import type { Context } from '../../iam/conditions.ts';
import { type AccessRequest, compileStatements, type Decide } from '../../iam/evaluate.ts';
import { AwsError } from '../errors.ts';
import type { Call } from './call.ts';
import { NO_VERSION, versionsOf } from './store.ts';

const texts = z.union([z.string(), z.array(z.string())]).transform((given) => [given].flat());
const statementSchema = z.object({
  Effect: z.enum(['Allow', 'Deny']),
  Action: texts,
  Resource: texts.default(['*']),
  Condition: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
});
const policySchema = z.object({ Statement: z.array(statementSchema).default([]) });

/** By their text. */
const compiled = new Map<string, Decide>();

function decisionOf(policy: string): Decide {
  const known = compiled.get(policy);
  if (known) return known;
  const { Statement } = policySchema.parse(JSON.parse(policy));
  const decide = compileStatements(
    Statement.map(({ Effect, Action, Resource, Condition }) => ({
      effect: Effect,
      actions: Action,
      resources: Resource,
      conditions: Condition,
    })),
  );
  compiled.set(policy, decide);
  return decide;
}

const arnOf = ({ bucketName }: Call, key = ''): string => `arn:aws:s3:::${bucketName}${key === '' ? '' : `/${key}`}`;

/** What conditions may speak of. */
function contextOf({ request: { headers, socket }, query }: Call, action: string): Context {
  const prefix = query.get('prefix');
  const { 'x-amz-server-side-encryption': encryption, 'x-amz-server-side-encryption-aws-kms-key-id': key } = headers;
  return {
    'aws:SourceIp': socket.remoteAddress?.replace(/^::ffff:/, '') ?? '127.0.0.1',
    // There is no TLS on this machine's own interface; a policy that asks for it means other ways.
    'aws:SecureTransport': 'true',
    's3:TlsVersion': '1.3',
    // Whether the signature came in a header or in the address.
    's3:authType': headers.authorization === undefined ? 'REST-QUERY-STRING' : 'REST-HEADER',
    // An object that is read, though it may be missing, has none.
    ...(prefix !== null && /^s3:List/.test(action) ? { 's3:prefix': prefix } : {}),
    's3:x-amz-server-side-encryption': encryption,
    's3:x-amz-server-side-encryption-aws-kms-key-id': key,
  };
}

/** Whether a statement of the bucket's policy forbids an action to whoever sends such a request. */
export function isForbidden(call: Call, action: string, key = call.key): boolean {
  const policy = call.store.buckets.get(call.bucketName)?.configurations.policy;
  if (!policy) return false;
  return decisionOf(policy)({ action, resource: arnOf(call, key), context: contextOf(call, action) }) === 'explicit';
}

/** @throws AwsError `AccessDenied` where the bucket's policy forbids an action, or the caller's role does not allow it */
export function checkAction(call: Call, action: string, key = call.key): void {
  if (isForbidden(call, action, key))
    throw new AwsError('AccessDenied', 'Access Denied by an explicit deny in a resource-based policy', 403);
  const { caller, access } = call;
  if (!access.isLimited(caller)) return;
  const request = { action, resource: arnOf(call, key), context: contextOf(call, action) };
  access.check(caller, [request, ...keyRequests(call, action, key)], 'AccessDenied');
}

/** Who may not list a bucket is not told either that an object is missing in it. */
export function mayBeTold(call: Call): boolean {
  const action = 's3:ListBucket';
  return call.access.allows(call.caller, { action, resource: arnOf(call), context: contextOf(call, action) });
}

/** S3 uses the key that encrypts an object in the name of who reads or writes it. */
function keyRequests(call: Call, action: string, key: string): AccessRequest[] {
  const uses = {
    's3:GetObject': 'kms:Decrypt',
    's3:GetObjectVersion': 'kms:Decrypt',
    's3:PutObject': 'kms:GenerateDataKey',
  };
  const use = uses[action as keyof typeof uses];
  if (use === undefined || call.request.method === 'HEAD') return [];
  const bucket = call.store.buckets.get(call.bucketName);
  const wanted = call.query.get('versionId');
  const stored =
    bucket && use === 'kms:Decrypt'
      ? wanted === null
        ? bucket.objects.get(key)
        : versionsOf(bucket, key).find(({ versionId = NO_VERSION }) => versionId === wanted)
      : undefined;
  const name = 'x-amz-server-side-encryption-aws-kms-key-id';
  const keyArn =
    stored?.headers[name] ?? call.request.headers[name] ?? call.access.permissions().bucketKeys[call.bucketName];
  // Of a copy in another region the local S3 knows the alias that replication names, and not its key.
  if (typeof keyArn !== 'string' || keyArn.includes(':alias/')) return [];
  const context = { ...via('s3'), ...encryptionContext({ 'aws:s3:arn': arnOf(call) }) };
  return [{ action: use, resource: keyArn, context }];
}

/** The rights that operations need whose own names are not those of IAM; of `DeleteObjects`, each object's own is asked for. */
const actions: Readonly<Record<string, string | null>> = {
  HeadObject: 's3:GetObject',
  CreateMultipartUpload: 's3:PutObject',
  UploadPart: 's3:PutObject',
  UploadPartCopy: 's3:PutObject',
  CompleteMultipartUpload: 's3:PutObject',
  CopyObject: 's3:PutObject',
  ListParts: 's3:ListMultipartUploadParts',
  DeleteObject: null,
  DeleteObjects: null,
  ListObjects: 's3:ListBucket',
  ListObjectsV2: 's3:ListBucket',
  HeadBucket: 's3:ListBucket',
  ListObjectVersions: 's3:ListBucketVersions',
  ListMultipartUploads: 's3:ListBucketMultipartUploads',
  ListBuckets: 's3:ListAllMyBuckets',
};

/** By the nouns of the API. */
const nouns: readonly [noun: string, right: string][] = [
  ['BucketEncryption', 'EncryptionConfiguration'],
  ['BucketLifecycleConfiguration', 'LifecycleConfiguration'],
  ['BucketReplication', 'ReplicationConfiguration'],
  ['PublicAccessBlock', 'BucketPublicAccessBlock'],
  ['ObjectLockConfiguration', 'BucketObjectLockConfiguration'],
  ['BucketNotificationConfiguration', 'BucketNotification'],
  ['BucketCors', 'BucketCORS'],
];

/** @throws AwsError `AccessDenied` */
export function checkOperation(call: Call, operation: string): void {
  const own = actions[operation];
  if (own === null) return;
  const noun = nouns.find(([name]) => operation.endsWith(name));
  const named = noun ? operation.replace(...noun) : operation;
  const isVersion = call.query.has('versionId') && /^(Get|Head)Object$/.test(operation);
  checkAction(call, isVersion ? 's3:GetObjectVersion' : (own ?? `s3:${named}`));
  const source = call.request.headers['x-amz-copy-source'];
  if (typeof source !== 'string') return;
  const [, bucketName = '', key = ''] = /^\/?([^/]+)\/([^?]*)/.exec(decodeURIComponent(source)) ?? [];
  checkAction({ ...call, bucketName, key }, 's3:GetObject');
}
