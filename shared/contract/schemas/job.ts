import { z } from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';

export const jobIdSchema = z.string().regex(/^job-[0-9A-HJKMNP-TV-Z]{26}$/, 'must be a job id such as job-01J...');

const countSchema = z.object({
  done: z.number().min(0),
  /** null while the total is not known. */
  total: z.number().min(0).nullable(),
});

export const progressSchema = z.object({
  /** What the job is doing now, in words: `schema`, `data`, `indexes`, ... */
  phase: z.string(),
  tables: countSchema,
  rows: countSchema,
  /** Bytes of COPY text. */
  bytes: countSchema,
  /** Bytes per second since the phase began; null before anything can be said. */
  bytes_per_second: z.number().min(0).nullable(),
  seconds_left: z.number().min(0).nullable(),
  updated_at: z.iso.datetime(),
});

export const jobErrorSchema = z.object({
  /** Stable, machine-readable, e.g. `database_unreachable`. */
  code: z.string(),
  /** The cause in words. */
  message: z.string(),
  /** What to do about it. */
  next_step: z.string(),
});

export const jobSchema = z.object({
  id: jobIdSchema,
  kind: z.enum(['backup', 'restore']),
  database: databaseIdSchema,
  status: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']),
  created_at: z.iso.datetime(),
  started_at: z.iso.datetime().nullable(),
  ended_at: z.iso.datetime().nullable(),
  /** `sub` of the caller, or `schedule`. */
  requested_by: z.string(),
  /** The backup that is made or restored. */
  backup_id: z.string().nullable(),
  target_database: z.string().nullable(),
  progress: progressSchema.nullable(),
  error: jobErrorSchema.nullable(),
  /** Things an administrator should know though the job succeeded, such as a role that was missing. */
  warnings: z.array(z.string()),
});

export type Job = z.output<typeof jobSchema>;
export type Progress = z.output<typeof progressSchema>;
export type JobError = z.output<typeof jobErrorSchema>;
