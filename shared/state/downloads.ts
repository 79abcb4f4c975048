import { type DownloadFormat, downloadFormatSchema } from '../contract/schemas/download.ts';
import { type Claim, findClaimedJob } from './begin.ts';
import { createJobStore } from './jobs.ts';
import type { StateTable } from './table.ts';

/** A file that is made of a backup. */
export interface WantedFile {
  backupId: string;
  format: DownloadFormat;
}

/** Far longer than any job; what counts is what became of the job. */
const YEAR_SECONDS = 366 * 86_400;

/** One file of a kind is made at a time, whoever asks: the claim is everybody's. */
export function claimOfFile({ backupId, format }: WantedFile): Claim {
  return { scope: 'download', key: `${backupId} ${format}`, request: '', seconds: YEAR_SECONDS };
}

/** The files of a backup are gone with it: the jobs that made them offer them no more. Safe to repeat. */
export async function forgetFiles(table: StateTable, backupId: string): Promise<void> {
  for (const format of downloadFormatSchema.options) {
    const job = await findClaimedJob(table, claimOfFile({ backupId, format }));
    if (job !== null) await createJobStore(table).forgetDownload(job);
  }
}
