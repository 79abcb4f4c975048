import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectRetentionCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  type ObjectVersion,
  type S3Client,
} from '@aws-sdk/client-s3';

/** What is left of a bucket, and what of it is gone. */
export interface Emptied {
  /** Whether everything was looked at; else the time was over. */
  done: boolean;
  /** Versions and delete markers that are gone. */
  deleted: number;
  /** Unfinished uploads that are gone. */
  aborted: number;
  /** Versions that S3 did not delete. */
  kept: number;
  /** S3's own words for the first of them; null without any. */
  reason: string | null;
  /** Until when object lock keeps the newest of them; null where it does not, or does not say. */
  lockedUntil: Date | null;
}

type Version = { key: string; id: string; modifiedAt: number };

/**
 * Deletes everything in a bucket: all versions of all objects, delete markers, and unfinished uploads. What is locked stays, and is
 * counted. It can be repeated, and goes on where it was.
 *
 * @param timeIsOver - ends it between two pages
 * @throws the SDK's errors, such as `NoSuchBucket`
 */
export async function emptyBucket(s3: S3Client, bucket: string, timeIsOver: AbortSignal): Promise<Emptied> {
  const found: Emptied = { done: false, deleted: 0, aborted: 0, kept: 0, reason: null, lockedUntil: null };
  let newest: Version | null = null;
  for await (const versions of pagesOfVersions(s3, bucket)) {
    if (timeIsOver.aborted) return found;
    const { refused, reason } = await deleteVersions(s3, bucket, versions);
    found.deleted += versions.length - refused.length;
    found.kept += refused.length;
    found.reason ??= reason;
    for (const version of refused) if (!newest || version.modifiedAt > newest.modifiedAt) newest = version;
  }
  for await (const uploads of pagesOfUploads(s3, bucket)) {
    if (timeIsOver.aborted) return found;
    for (const upload of uploads) await s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, ...upload }));
    found.aborted += uploads.length;
  }
  return { ...found, done: true, lockedUntil: newest ? await lockOf(s3, bucket, newest) : null };
}

async function* pagesOfVersions(s3: S3Client, Bucket: string): AsyncGenerator<Version[]> {
  let marker: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {};
  const versionOf = ({ Key = '', VersionId = 'null', LastModified }: ObjectVersion): Version => ({
    key: Key,
    id: VersionId,
    modifiedAt: LastModified?.getTime() ?? 0,
  });
  for (;;) {
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket, ...marker }));
    const versions = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])].map(versionOf);
    if (versions.length > 0) yield versions;
    if (!page.IsTruncated) return;
    // With markers, as what is locked would be listed first again and again.
    marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
  }
}

async function deleteVersions(
  s3: S3Client,
  Bucket: string,
  versions: readonly Version[],
): Promise<{ refused: Version[]; reason: string | null }> {
  const Objects = versions.map(({ key, id }) => ({ Key: key, VersionId: id }));
  const { Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
  const names = new Set(Errors.map(({ Key, VersionId = 'null' }) => JSON.stringify([Key, VersionId])));
  const [first] = Errors;
  return {
    refused: versions.filter(({ key, id }) => names.has(JSON.stringify([key, id]))),
    reason: first ? `${first.Code}: ${first.Message}` : null,
  };
}

async function* pagesOfUploads(s3: S3Client, Bucket: string): AsyncGenerator<{ Key: string; UploadId: string }[]> {
  let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
  for (;;) {
    const page = await s3.send(new ListMultipartUploadsCommand({ Bucket, ...marker }));
    const uploads = (page.Uploads ?? []).map(({ Key = '', UploadId = '' }) => ({ Key, UploadId }));
    if (uploads.length > 0) yield uploads;
    if (!page.IsTruncated) return;
    marker = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
  }
}

/** What S3 does not tell is not known: the version may be kept for another reason. */
async function lockOf(s3: S3Client, Bucket: string, { key, id }: Version): Promise<Date | null> {
  const command = new GetObjectRetentionCommand({ Bucket, Key: key, VersionId: id });
  const { Retention } = await s3.send(command).catch(() => ({ Retention: undefined }));
  return Retention?.RetainUntilDate ?? null;
}
