import type { DownloadFormat } from '../../contract/schemas/download.ts';

/** Where the files made of a database's backups lie in the bucket of downloads, or those of one backup. */
export function downloadPrefix(database: string, backupId?: string): string {
  return backupId === undefined ? `${database}/` : `${database}/${backupId}/`;
}

/** The file that a job makes. */
export function downloadKey(file: {
  database: string;
  backupId: string;
  jobId: string;
  format: DownloadFormat;
}): string {
  return `${downloadPrefix(file.database, file.backupId)}${file.jobId}.${file.format}`;
}

/** Backup and job of a key; null for what has no such name. */
export function parseDownloadKey(key: string): { backupId: string; jobId: string } | null {
  const [, backupId, jobId] = /^[^/]+\/(bkp-[0-9A-Z]{26})\/(job-[0-9A-Z]{26})\.[a-z.]+$/.exec(key) ?? [];
  return backupId && jobId ? { backupId, jobId } : null;
}
