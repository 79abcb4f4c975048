import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import type { ErrorCode } from '../../core/errors/catalogue.ts';
import { downloadFileSchema } from './download.ts';
import { validationReportSchema } from './validation.ts';

export const jobIdSchema = z
  .string()
  .regex(/^job-[0-9A-HJKMNP-TV-Z]{26}$/, 'must be a job id such as job-01J...')
  .meta({ description: 'Id of a job.', examples: ['job-01JZ8Q4F7M3N5P6R8S9T0V1W2X'] });

const countSchema = z.object({
  done: z.number().min(0),
  total: z.number().min(0).nullable().meta({ description: 'null while it is not known.' }),
});

export const progressSchema = z
  .object({
    phase: z.string().meta({ description: 'What the job is doing now, in words.', examples: ['data', 'indexes'] }),
    tables: countSchema,
    rows: countSchema.meta({ description: 'Rows; of an incremental backup, changes.' }),
    bytes: countSchema.meta({ description: 'Bytes of COPY text; of an incremental backup, of decoded changes.' }),
    bytes_per_second: z
      .number()
      .min(0)
      .nullable()
      .meta({ description: 'Since the phase began; null before anything can be said.' }),
    seconds_left: z.number().min(0).nullable().meta({ description: 'null before anything can be said.' }),
    updated_at: z.iso.datetime(),
  })
  .meta({ id: 'Progress', description: 'How far a running job has come.' });

export const jobErrorSchema = z
  .object({
    code: z.string().meta({ description: 'Stable and machine-readable.', examples: ['database_unreachable'] }),
    message: z.string().meta({ description: 'The cause in words.' }),
    next_step: z.string().meta({ description: 'What to do about it.' }),
  })
  .meta({ id: 'JobError', description: 'Why a job failed.' });

export const swapSchema = z
  .object({
    kept_database: z.string().meta({
      description:
        'The dated name of the database that does not have the live name: the former one, or after a swap back the restored one.',
      examples: ['shop_replaced_20260131_120000_x2y3'],
    }),
    swapped_back_at: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'null: the restored database has the live name.' }),
  })
  .meta({ id: 'Swap', description: 'A database that took the place of another.' });

export const unfinishedSchema = z
  .object({
    database: z.string().meta({
      description:
        'Its name on the server, as long as it is there; of a restore of rows, that of the database with the tables.',
    }),
    kept_until: z.iso.datetime().meta({
      description: 'The next restore on the server after this time drops it; rows stay until they are discarded.',
    }),
    resumed_by: jobIdSchema.nullable().meta({ description: 'The job that goes on with it; null when none does.' }),
  })
  .meta({ id: 'UnfinishedDatabase', description: 'What a failed restore has done, kept to be resumed.' });

export const jobSchema = z
  .object({
    id: jobIdSchema,
    kind: z.enum(['backup', 'restore', 'rebuild', 'download', 'validation']).meta({
      description:
        '`rebuild`: lists the backups in the bucket again. `download`: makes a script that psql loads. `validation`: proves a backup.',
    }),
    database: databaseIdSchema,
    status: z.enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']),
    created_at: z.iso.datetime(),
    started_at: z.iso.datetime().nullable(),
    ended_at: z.iso.datetime().nullable(),
    requested_by: z
      .string()
      .meta({ description: '`sub` of the caller, `schedule`, or `recovery`: the window needs it.' }),
    backup_id: z
      .string()
      .nullable()
      .meta({ description: 'The backup that is made, restored, validated or made into a script.' }),
    target_database: z
      .string()
      .nullable()
      .meta({ description: 'The database that a restore creates, whose place it takes, or whose tables it fills.' }),
    environment: databaseIdSchema
      .nullable()
      .default(null)
      .meta({ description: "The configured database whose server a restore goes to; null: the backup's own." }),
    swap: swapSchema.nullable().default(null).meta({ description: 'Of a restore that replaced a database.' }),
    validation: validationReportSchema.nullable().default(null).meta({ description: 'Of a validation.' }),
    unfinished: unfinishedSchema
      .nullable()
      .default(null)
      .meta({ description: 'Of a failed restore that can be resumed or discarded.' }),
    download: downloadFileSchema
      .nullable()
      .default(null)
      .meta({ description: 'Of a download that succeeded: the file, until it expires.' }),
    resumes: jobIdSchema
      .nullable()
      .default(null)
      .meta({ description: 'The failed restore that this one goes on with.' }),
    cancel_requested_at: z.iso
      .datetime()
      .nullable()
      .default(null)
      .meta({ description: 'When somebody asked for its end; a running job takes some seconds to end.' }),
    progress: progressSchema.nullable(),
    error: jobErrorSchema.nullable(),
    warnings: z
      .array(z.string())
      .meta({ description: 'What to know though the job succeeded, such as a role that was missing.' }),
  })
  .meta({ id: 'Job', description: 'A backup, a restore or other work that takes a while.' });

export type Job = z.output<typeof jobSchema>;
export type Progress = z.output<typeof progressSchema>;
export type Unfinished = z.output<typeof unfinishedSchema>;
export type Swap = z.output<typeof swapSchema>;
export type JobError = z.output<typeof jobErrorSchema>;
/** One that this version gives. */
export type NewJobError = JobError & { code: ErrorCode };
