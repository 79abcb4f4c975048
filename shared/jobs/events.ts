import * as z from 'zod';
import { databaseIdSchema } from '../configuration/runtime.ts';
import {
  backupIdSchema,
  backupSampleSchema,
  backupSelectionFields,
  backupTypeSchema,
  customNameSchema,
} from '../contract/schemas/backup.ts';
import { jobIdSchema } from '../contract/schemas/job.ts';
import {
  recoveryTargetSchema,
  restoreModeSchema,
  restoreOptionsSchema,
  targetDatabaseSchema,
} from '../contract/schemas/restore.ts';
import { validationLevelSchema } from '../contract/schemas/validation.ts';

/** What starts the durable backup function. A schedule gives no ids; the function then makes them and the job itself. */
export const backupEventSchema = z.object({
  database: databaseIdSchema,
  backup_type: backupTypeSchema,
  custom_name: customNameSchema.nullable().default(null),
  include: backupSelectionFields.include.optional(),
  exclude: backupSelectionFields.exclude.optional(),
  masked: z.boolean().optional(),
  sample: backupSampleSchema.nullable().optional(),
  requested_by: z.string().min(1).default('schedule'),
  /** Of a schedule's run: when it was due. */
  scheduled_at: z.iso.datetime().optional(),
  job_id: jobIdSchema.optional(),
  backup_id: backupIdSchema.optional(),
});

/** What starts the durable restore function. */
export const restoreEventSchema = z.object({
  database: databaseIdSchema,
  backup_id: backupIdSchema,
  target_database: targetDatabaseSchema,
  mode: restoreModeSchema.default('new'),
  /** The configured database to whose server it goes; by default the backup's own. */
  environment: databaseIdSchema.optional(),
  options: restoreOptionsSchema.default({}),
  /** The moment that the restored backup is brought to; absent: its own. */
  recovery: recoveryTargetSchema.optional(),
  requested_by: z.string().min(1),
  job_id: jobIdSchema,
  /** The failed job whose unfinished database it goes on with. */
  resumes: jobIdSchema.optional(),
});

/**
 * What starts the durable function that validates. A schedule names neither backup nor job: the function then takes the newest
 * full backup of the database, and makes the job itself.
 */
export const validationEventSchema = z.object({
  database: databaseIdSchema,
  level: validationLevelSchema,
  backup_id: backupIdSchema.optional(),
  requested_by: z.string().min(1).default('schedule'),
  job_id: jobIdSchema.optional(),
});

export type BackupEvent = z.output<typeof backupEventSchema>;
export type RestoreEvent = z.output<typeof restoreEventSchema>;
export type ValidationEvent = z.output<typeof validationEventSchema>;
