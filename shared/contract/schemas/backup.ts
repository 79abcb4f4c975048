import { z } from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { progressSchema } from './job.ts';

export const backupIdSchema = z
  .string()
  .regex(/^bkp-[0-9A-HJKMNP-TV-Z]{26}$/, 'must be a backup id such as bkp-01J...');

export const backupTypeSchema = z.enum(['full']);

export const customNameSchema = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(
    /^[\p{L}\p{N}][\p{L}\p{N} ._-]*$/u,
    'may hold letters, digits, spaces, dots, underscores and hyphens, and starts with a letter or digit',
  );

/** Only an `available` backup can be restored: its manifest is written. */
export const backupStatusSchema = z.enum(['running', 'available', 'failed', 'deleting']);

export const backupRequestSchema = z.strictObject({
  backup_type: backupTypeSchema,
  custom_name: customNameSchema.nullable().default(null).meta({ description: 'A name for people to recognize it by.' }),
});

export const backupSchema = z.object({
  id: backupIdSchema,
  database: databaseIdSchema,
  backup_type: backupTypeSchema,
  custom_name: z.string().nullable(),
  status: backupStatusSchema,
  job_id: z.string(),
  requested_by: z.string(),
  created_at: z.iso.datetime(),
  /** The moment whose state the backup holds. */
  snapshot_at: z.iso.datetime().nullable(),
  ended_at: z.iso.datetime().nullable(),
  expires_at: z.iso.datetime().nullable(),
  /** `server_version_num`, e.g. 180004. */
  server_version: z.int().nullable(),
  tables: z.int().nullable(),
  rows: z.int().nullable(),
  /** Bytes of COPY text. */
  bytes: z.int().nullable(),
  /** Bytes of all objects in the bucket. */
  stored_bytes: z.int().nullable(),
  objects: z.int().nullable(),
  error: z.string().nullable(),
  /** Of the running job; null otherwise. */
  progress: progressSchema.nullable(),
});

export type Backup = z.output<typeof backupSchema>;
export type BackupType = z.output<typeof backupTypeSchema>;
