import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import type { LocalSystem } from './system.ts';

const jobSchema = z.object({
  id: z.string(),
  status: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']),
  backup_id: z.string().nullable(),
  error: z.object({ message: z.string(), next_step: z.string() }).nullable(),
});
const backupSchema = z.object({
  id: z.string(),
  created_at: z.string(),
  ended_at: z.string().nullable(),
  tables: z.number().nullable(),
  rows: z.number().nullable(),
  bytes: z.number().nullable(),
  stored_bytes: z.number().nullable(),
});

export type FirstBackup = z.output<typeof backupSchema> & { readonly seconds: number };

/**
 * Takes a backup over the HTTP API, as an operator would, and waits until it is there.
 *
 * @param marker file that says it was taken.
 * @throws Error with the job's own words when it fails.
 */
export async function takeFirstBackup(
  { apiUrl, tokens }: LocalSystem,
  { marker, signal }: { marker: string; signal: AbortSignal },
): Promise<FirstBackup> {
  const call = async (path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${apiUrl}/api/database${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${tokens.operator}`, 'content-type': 'application/json' },
      signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`The first backup could not be taken: ${response.status} ${text}`);
    return JSON.parse(text);
  };
  const started = Date.now();
  console.log('  Taking a first backup');
  let job = jobSchema.parse(await call('/backups', { backup_type: 'full', custom_name: 'first start' }));
  while (job.status === 'queued' || job.status === 'running') {
    await new Promise((resolve) => setTimeout(resolve, 300));
    job = jobSchema.parse(await call(`/jobs/${job.id}`));
  }
  if (job.status !== 'succeeded') {
    throw new Error(
      `The first backup did not succeed. ${job.error ? `${job.error.message}. ${job.error.next_step}` : `The job is ${job.status}.`}\nLogs are in ${join(dirname(marker), 'logs')}`,
    );
  }
  const seconds = (Date.now() - started) / 1000;
  const backup = backupSchema.parse(await call(`/backups/${job.backup_id}`));
  writeFileSync(marker, backup.id);
  return { ...backup, seconds };
}

/** What the backup took, on one line. */
export function describeFirstBackup({ id, tables, rows, bytes, stored_bytes, seconds }: FirstBackup): string {
  const number = new Intl.NumberFormat('en-US');
  const facts = [
    `${number.format(tables ?? 0)} tables`,
    `${number.format(rows ?? 0)} rows`,
    `${size(bytes)} of data`,
    `${size(stored_bytes)} stored`,
    `${seconds.toFixed(1)} s`,
  ];
  return `\nFirst backup ${id}\n  ${facts.join(' · ')}\n`;
}

function size(bytes: number | null): string {
  if (bytes === null) return 'unknown';
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
