import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  type MultipartUpload,
  NoSuchUpload,
} from '@aws-sdk/client-s3';
import type { Backup } from '../contract/schemas/backup.ts';
import type { Job } from '../contract/schemas/job.ts';
import { OperationError } from '../errors.ts';
import { createBackupCatalog, isComplete } from '../state/backups.ts';
import { forgetFiles } from '../state/downloads.ts';
import { createJobStore, isEnded } from '../state/jobs.ts';
import type { StateTable } from '../state/table.ts';
import { downloadPrefix } from './download/download-key.ts';
import { backupPrefix, MANIFEST } from './layout.ts';
import type { Bucket } from './listing.ts';
import { inspectManifest } from './stored-manifest.ts';

/** S3 deletes 1000 objects a call; ten million objects of one backup are more than any has. */
const MAX_BATCHES = 10_000;

export interface RemovalOptions {
  /** Also when other backups need it, which then cannot be restored. Jobs and locks are never overridden. */
  force?: boolean;
}

/** What a removal works on. */
export interface Removal extends Bucket {
  /** Where files made of backups are, which go with them. */
  downloadBucket?: string | undefined;
  table: StateTable;
}

/**
 * Deletes a backup: its manifest first, so that from then on it is none; then its objects; then its entry. After a failure
 * it can be called again and goes on. Former versions stay in the bucket as long as its lifecycle says.
 *
 * @throws OperationError `unknown_backup`, `backup_running`, `backup_in_use`, `backup_needed`, `backup_locked` or `objects_left`
 */
export async function removeBackup(
  { s3, bucket, downloadBucket, table }: Removal,
  id: string,
  { force = false }: RemovalOptions = {},
): Promise<void> {
  const backups = createBackupCatalog(table);
  const jobs = createJobStore(table);
  const backup = await backups.get(id);

  if (backup.status === 'running') {
    const job = await jobs.find(backup.job_id);
    if (job && !isEnded(job)) {
      throw new OperationError(
        'backup_running',
        `The backup ${id} is being made by job ${job.id}`,
        'Wait until the job has ended.',
      );
    }
    // Its job ended without saying so here.
    await backups.markFailed(id, job?.error?.message ?? 'The job of this backup has ended');
  }
  for (const jobId of await backups.restoresOf(id)) {
    const job = await jobs.find(jobId);
    if (job && !isEnded(job)) throw inUse(id, job);
    await backups.releaseRestore(id, jobId);
  }
  if (!force) await assertNotNeeded(table, backup);
  const prefix = backupPrefix(backup.database, id);
  const { lockedUntil } = await inspectManifest({ s3, bucket }, prefix);
  if (lockedUntil) throw locked(id, lockedUntil);
  if (!(await backups.markDeleting(id))) {
    // Between the look and the mark: another restore has begun, or another call has deleted it.
    if (await backups.find(id)) throw inUse(id);
    return;
  }
  await removeObjects({ s3, bucket }, prefix);
  if (downloadBucket !== undefined) {
    const files = { s3, bucket: downloadBucket };
    await abortUploads(files, downloadPrefix(backup.database, id));
    await deleteObjects(files, downloadPrefix(backup.database, id));
    await forgetFiles(table, id);
  }
  await backups.remove(id);
}

/** @throws OperationError `backup_needed`, naming the backups that need it */
async function assertNotNeeded(table: StateTable, { id, database, status }: Backup): Promise<void> {
  // One that is half gone is no use to anybody.
  if (status === 'deleting') return;
  const entries = await createBackupCatalog(table).entries(database);
  const dependents = entries
    .map(({ backup }) => backup)
    .filter((other) => other.depends_on.includes(id) && (isComplete(other) || other.status === 'running'));
  if (dependents.length === 0) return;
  throw new OperationError(
    'backup_needed',
    `The backup ${id} is needed to restore ${dependents.map((other) => other.id).join(', ')}`,
    'Delete those first; or delete it with force=true, which leaves them useless.',
  );
}

/**
 * Removes all objects of one backup, the manifest first, and what a process that was ended left uploading.
 *
 * @param prefix - ends with a slash; see {@link backupPrefix}
 * @throws OperationError `objects_left` when S3 keeps some
 */
export async function removeObjects({ s3, bucket }: Bucket, prefix: string): Promise<void> {
  await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: prefix + MANIFEST }));
  await abortUploads({ s3, bucket }, prefix);
  await deleteObjects({ s3, bucket }, prefix);
}

/**
 * Deletes the objects below a prefix.
 *
 * @param isOurs - by the key; all by default
 * @throws OperationError `objects_left` when S3 keeps some
 */
export async function deleteObjects(
  { s3, bucket }: Bucket,
  prefix: string,
  isOurs: (key: string) => Promise<boolean> | boolean = () => true,
): Promise<void> {
  let after: string | undefined;
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    // By the last key: what was listed before is gone.
    const { Contents = [] } = await s3.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        MaxKeys: 1000,
        ...(after === undefined ? {} : { StartAfter: after }),
      }),
    );
    if (Contents.length === 0) return;
    after = Contents.at(-1)?.Key;
    const Objects: { Key: string }[] = [];
    for (const { Key = '' } of Contents) if (await isOurs(Key)) Objects.push({ Key });
    if (Objects.length === 0) continue;
    const { Errors = [] } = await s3.send(
      new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
    );
    if (Errors.length > 0) {
      const [first] = Errors;
      throw objectsLeft(
        prefix,
        `${Errors.length} objects were refused, the first with ${first?.Code}: ${first?.Message}`,
      );
    }
  }
  throw objectsLeft(prefix, 'there is no end of them');
}

/**
 * Ends the unfinished uploads below a prefix. Their parts are paid for, and no list of objects shows them.
 *
 * @param isLeft - says which; all by default
 * @returns how many there were
 */
export async function abortUploads(
  { s3, bucket }: Bucket,
  prefix: string,
  isLeft: (upload: MultipartUpload) => Promise<boolean> | boolean = () => true,
): Promise<number> {
  let count = 0;
  let after: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {};
  while (after) {
    const page: ListMultipartUploadsCommandOutput = await s3.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...after }),
    );
    for (const upload of page.Uploads ?? []) {
      if (!(await isLeft(upload))) continue;
      const { Key, UploadId } = upload;
      await s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId })).catch((error: unknown) => {
        if (!(error instanceof NoSuchUpload)) throw error;
      });
      count += 1;
    }
    after = page.IsTruncated ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker } : undefined;
  }
  return count;
}

function inUse(id: string, job?: Job): OperationError {
  const by = job === undefined ? 'a job' : `the ${job.kind} ${job.id}`;
  return new OperationError(
    'backup_in_use',
    `The backup ${id} is being read by ${by}`,
    'Wait until the job has ended.',
  );
}

function locked(id: string, until: Date): OperationError {
  return new OperationError(
    'backup_locked',
    `S3 keeps the objects of the backup ${id} from being deleted until ${until.toISOString()} (object lock)`,
    'Delete it after that time, or leave it to retention.',
  );
}

function objectsLeft(prefix: string, why: string): OperationError {
  return new OperationError(
    'objects_left',
    `Not all objects under ${prefix} could be deleted: ${why}`,
    'Delete the backup again; it goes on.',
  );
}
