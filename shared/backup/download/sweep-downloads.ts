import { createJobStore, isEnded } from '../../state/jobs.ts';
import type { StateTable } from '../../state/table.ts';
import type { Bucket } from '../listing.ts';
import { abortUploads, deleteObjects } from '../remove.ts';
import { downloadPrefix, parseDownloadKey } from './download-key.ts';

/**
 * Removes the files of a database's downloads that have expired, and what jobs that ended have left uploading. S3's own rule removes
 * them as well, but only at the midnight after, and a day late.
 *
 * @param now - by S3's clock, milliseconds
 * @returns the keys that were removed, and the number of uploads that were ended
 * @throws OperationError `objects_left`
 */
export async function sweepDownloads(
  { s3, bucket, table }: Bucket & { table: StateTable },
  database: string,
  now: number,
): Promise<{ files: string[]; uploads: number }> {
  const jobs = createJobStore(table);
  const jobOf = async (key: string) => {
    const names = parseDownloadKey(key);
    return names && jobs.find(names.jobId);
  };
  const files: string[] = [];
  const prefix = downloadPrefix(database);
  await deleteObjects({ s3, bucket }, prefix, async (key) => {
    const job = await jobOf(key);
    if (!parseDownloadKey(key) || (job && !isEnded(job))) return false;
    const expiresAt = job?.download ? Date.parse(job.download.expires_at) : 0;
    if (expiresAt > now) return false;
    files.push(key);
    return true;
  });
  const uploads = await abortUploads({ s3, bucket }, prefix, async ({ Key = '' }) => {
    const job = await jobOf(Key);
    return !job || isEnded(job);
  });
  return { files, uploads };
}
