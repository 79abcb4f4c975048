import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  NoSuchUpload,
  type S3Client,
} from '@aws-sdk/client-s3';
import { OperationError } from '../errors.ts';
import { createBackupCatalog } from '../state/backups.ts';
import { createJobStore, isEnded } from '../state/jobs.ts';
import type { StateTable } from '../state/table.ts';
import { backupPrefix, MANIFEST } from './layout.ts';

interface Bucket {
  s3: S3Client;
  bucket: string;
}

/** S3 deletes 1000 objects a call; ten million objects of one backup are more than any has. */
const MAX_BATCHES = 10_000;

/**
 * Deletes a backup: its manifest first, so that from then on it is none; then its objects; then its entry. After a failure
 * it can be called again and goes on. Former versions stay in the bucket as long as its lifecycle says.
 *
 * @throws OperationError `unknown_backup`, `backup_running`, `backup_in_use` or `objects_left`
 */
export async function removeBackup({ s3, bucket, table }: Bucket & { table: StateTable }, id: string): Promise<void> {
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
    if (job && !isEnded(job)) throw inUse(id, jobId);
    await backups.releaseRestore(id, jobId);
  }
  if (!(await backups.markDeleting(id))) {
    // Between the look and the mark: another restore has begun, or another call has deleted it.
    if (await backups.find(id)) throw inUse(id);
    return;
  }
  await removeObjects({ s3, bucket }, backupPrefix(backup.database, id));
  await backups.remove(id);
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
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    // Always from the beginning: what was listed before is gone.
    const { Contents = [] } = await s3.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, MaxKeys: 1000 }),
    );
    if (Contents.length === 0) return;
    const { Errors = [] } = await s3.send(
      new DeleteObjectsCommand({
        Bucket: bucket,
        Delete: { Objects: Contents.map(({ Key }) => ({ Key })), Quiet: true },
      }),
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

/** Ends the unfinished uploads below a prefix. Their parts are paid for, and no list of objects shows them. */
async function abortUploads({ s3, bucket }: Bucket, prefix: string): Promise<void> {
  let after: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {};
  while (after) {
    const page: ListMultipartUploadsCommandOutput = await s3.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...after }),
    );
    for (const { Key, UploadId } of page.Uploads ?? []) {
      await s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId })).catch((error: unknown) => {
        if (!(error instanceof NoSuchUpload)) throw error;
      });
    }
    after = page.IsTruncated ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker } : undefined;
  }
}

function inUse(id: string, jobId?: string): OperationError {
  const by = jobId === undefined ? 'a restore' : `the restore ${jobId}`;
  return new OperationError(
    'backup_in_use',
    `The backup ${id} is being read by ${by}`,
    'Wait until the restore has ended.',
  );
}

function objectsLeft(prefix: string, why: string): OperationError {
  return new OperationError(
    'objects_left',
    `Not all objects under ${prefix} could be deleted: ${why}`,
    'Delete the backup again; it goes on.',
  );
}
