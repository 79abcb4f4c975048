import { z } from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { progressSchema } from './job.ts';

export const backupIdSchema = z
  .string()
  .regex(/^bkp-[0-9A-HJKMNP-TV-Z]{26}$/, 'must be a backup id such as bkp-01J...')
  .meta({ description: 'Id of a backup.', examples: ['bkp-01JZ8Q4F7M3N5P6R8S9T0V1W2X'] });

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

export const backupSchema = z
  .object({
    id: backupIdSchema,
    database: databaseIdSchema,
    backup_type: backupTypeSchema,
    custom_name: z.string().nullable(),
    status: backupStatusSchema,
    job_id: z.string().meta({ description: 'The job that makes or made it.' }),
    requested_by: z.string().meta({ description: '`sub` of the caller, or `schedule`.' }),
    created_at: z.iso.datetime(),
    snapshot_at: z.iso.datetime().nullable().meta({ description: 'The moment whose state the backup holds.' }),
    ended_at: z.iso.datetime().nullable(),
    expires_at: z.iso.datetime().nullable(),
    server_version: z
      .int()
      .nullable()
      .meta({ description: '`server_version_num`.', examples: [180004] }),
    tables: z.int().nullable(),
    rows: z.int().nullable(),
    bytes: z.int().nullable().meta({ description: 'Bytes of COPY text.' }),
    stored_bytes: z.int().nullable().meta({ description: 'Bytes of all objects in the bucket.' }),
    objects: z.int().nullable(),
    error: z.string().nullable().meta({ description: 'Why it failed.' }),
    progress: progressSchema.nullable().meta({ description: 'Of the running job; null otherwise.' }),
  })
  .meta({ id: 'Backup', description: 'A backup and what it holds.' });

export type Backup = z.output<typeof backupSchema>;
export type BackupType = z.output<typeof backupTypeSchema>;
