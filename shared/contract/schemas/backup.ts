import * as z from 'zod';
import { databaseIdSchema } from '../../configuration/runtime.ts';
import { canBeMasked } from '../../configuration/schedules.ts';
import { parseNamePattern } from '../../postgres/name-pattern.ts';
import { jobErrorSchema, jobIdSchema, progressSchema } from './job.ts';
import { retentionSchema } from './retention.ts';
import { validationLevelSchema } from './validation.ts';

export const backupIdSchema = z
  .string()
  .regex(/^bkp-[0-9A-HJKMNP-TV-Z]{26}$/, 'must be a backup id such as bkp-01J...')
  .meta({ description: 'Id of a backup.', examples: ['bkp-01JZ8Q4F7M3N5P6R8S9T0V1W2X'] });

export const backupTypeSchema = z.enum(['full', 'schema', 'data', 'incremental']).meta({
  description:
    '`full`: definitions and rows. `schema`: definitions only. `data`: rows, positions of sequences and large objects, to be restored into a database that has the definitions. `incremental`: the changes since the last full or incremental backup, where point-in-time recovery is on.',
});

export const customNameSchema = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(
    /^[\p{L}\p{N}][\p{L}\p{N} ._-]*$/u,
    'may hold letters, digits, spaces, dots, underscores and hyphens, and starts with a letter or digit',
  );

const MAX_PATTERNS = 100;

const patternSchema = z
  .string()
  .min(1)
  .max(300)
  .superRefine((pattern, context) => {
    try {
      parseNamePattern(pattern);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  })
  .meta({
    description:
      'A pattern as psql and pg_dump read them: `*` stands for any characters, `?` for one, capitals are folded to small letters, what is in double quotes stands for itself. With a dot it names tables, views, materialized views, foreign tables and sequences (`sales.order_?`); without one, schemas with all that is in them (`sales`). Regular expressions are refused.',
  });

/** Which schemas and tables a backup is of. */
export const backupSelectionFields = {
  include: z
    .array(patternSchema)
    .min(1)
    .max(MAX_PATTERNS)
    .nullable()
    .default(null)
    .meta({
      description:
        'Only what matches one of these patterns; null: everything. The job fails when one matches nothing. A partitioned table stands for its partitions too.',
      examples: [['shop.*', 'public.order_?', '"Odd.Schema"']],
    }),
  exclude: z
    .array(patternSchema)
    .min(1)
    .max(MAX_PATTERNS)
    .nullable()
    .default(null)
    .meta({ description: 'Not what matches one of these patterns, though it is included.', examples: [['*.audit_*']] }),
};

/** Of which tables a backup keeps a part of the rows. */
export const backupSampleSchema = z
  .strictObject({
    percent: z
      .number()
      .min(0.001)
      .max(99.999)
      .meta({ description: 'About so many percent of the rows of the chosen tables are kept.', examples: [5] }),
    tables: z
      .array(patternSchema)
      .min(1)
      .max(MAX_PATTERNS)
      .meta({
        description:
          'Patterns that choose them. Best are the tables from which the others hang: what refers to a chosen table follows it. The job fails when one matches no table of the backup.',
        examples: [['shop.customers']],
      }),
  })
  .meta({
    id: 'BackupSample',
    description:
      'A part of the rows, with every foreign key whole: always the same rows of the same data. Rows that refer to sampled ones are kept when those are; tables that do not are whole.',
  });

/** The manifest of an `available` backup and of a `damaged` one is written: both can be restored, the latter not as a whole. */
export const backupStatusSchema = z.enum(['running', 'available', 'damaged', 'failed', 'deleting']).meta({
  description:
    '`damaged`: it is complete, and something speaks against it (see `damage`). It is not counted as a backup any more: neither retention, nor ages, nor recovery, nor drills rely on it. What is left of it can be restored; a validation that passes makes it available again.',
});

export const backupRequestSchema = z
  .strictObject({
    backup_type: backupTypeSchema,
    custom_name: customNameSchema
      .nullable()
      .default(null)
      .meta({ description: 'A name for people to recognize it by.' }),
    ...backupSelectionFields,
    masked: z.boolean().default(false).meta({
      description:
        'Whether values are masked by the rules of `security/masking` while they are read: the backup then holds no original value of a masked column, and no large objects. It is no base for point-in-time recovery, and no drill or age of backups counts it.',
    }),
    sample: backupSampleSchema.nullable().default(null).meta({
      description:
        'A smaller copy, as for development: a part of the rows of some tables, and of what hangs from them; null: all rows. Like a masked one, it is no base for point-in-time recovery, and no drill or age of backups counts it.',
    }),
  })
  .refine(({ backup_type, masked }) => !masked || canBeMasked(backup_type), {
    path: ['masked'],
    message: 'is for backups with rows of their own: neither definitions nor captured changes are masked',
  })
  .refine(({ backup_type, sample }) => !sample || backup_type === 'full' || backup_type === 'data', {
    path: ['sample'],
    message: 'is for backups with rows of their own: of definitions and captured changes there is no part to keep',
  })
  .superRefine(({ backup_type, ...selection }, context) => {
    if (backup_type !== 'incremental') return;
    for (const field of ['include', 'exclude'] as const) {
      if (selection[field] === null) continue;
      const message = 'cannot go with "backup_type": "incremental", which holds the changes of the whole database';
      context.addIssue({ code: 'custom', path: [field], message });
    }
  });

const lsnSchema = z.string().meta({ description: 'A position in the log.', examples: ['16/B374D848'] });

/** What an incremental backup is, beside what every backup is. */
export const incrementSchema = z
  .object({
    base: backupIdSchema.meta({ description: 'The full backup on which its chain of changes is repeated.' }),
    follows: backupIdSchema.meta({
      description: 'The backup that it goes on from: the incremental one before it in the chain, or the base.',
    }),
    number: z.int().min(1).meta({ description: 'Its place in the chain, from 1.' }),
    slot: z.string().meta({ description: 'The replication slot that the changes were captured from.' }),
    from: z.iso
      .datetime()
      .meta({ description: 'The moment that it goes on from; to when it holds all is `snapshot_at`.' }),
    first_lsn: lsnSchema.meta({ description: 'It holds the transactions whose commit ends after this position ...' }),
    last_lsn: lsnSchema.meta({ description: '... and here or before.' }),
    transactions: z.int().meta({ description: 'Transactions, those that changed nothing included.' }),
    changes: z
      .int()
      .meta({ description: 'Rows that were inserted, updated or deleted, and tables that were truncated.' }),
    segments: z.int().meta({ description: 'Stored segments that it is made of.' }),
  })
  .meta({ id: 'Increment', description: 'The changes that an incremental backup holds, and what they follow.' });

const validationSchema = z
  .object({
    job_id: jobIdSchema.meta({ description: 'The job that made it, and names what it found.' }),
    level: validationLevelSchema,
    outcome: z.enum(['passed', 'failed', 'inconclusive']).meta({
      description:
        '`failed`: it speaks against the backup. `inconclusive`: it could not be brought to its end, as when a server was out of reach.',
    }),
    ended_at: z.iso.datetime(),
    error: jobErrorSchema
      .nullable()
      .meta({ description: 'What was found, or why it did not end; null when it passed.' }),
  })
  .meta({ id: 'Validation', description: 'What came of a validation of a backup.' });

const damageSchema = z
  .object({
    found_at: z.iso.datetime(),
    found_by: z
      .enum(['integrity', 'restore', 'retention'])
      .meta({ description: 'A validation of either level, or the daily look of retention at its manifest.' }),
    code: z.string().meta({ description: 'Stable and machine-readable.', examples: ['backup_damaged'] }),
    message: z.string(),
  })
  .meta({ id: 'BackupDamage', description: 'What speaks against a backup.' });

export const backupSchema = z
  .object({
    id: backupIdSchema,
    database: databaseIdSchema,
    backup_type: backupTypeSchema,
    custom_name: z.string().nullable(),
    include: z
      .array(z.string())
      .nullable()
      .default(null)
      .meta({ description: 'The patterns of what it is of; null: the whole database.' }),
    exclude: z
      .array(z.string())
      .nullable()
      .default(null)
      .meta({ description: 'The patterns of what it is without; null: nothing was excluded.' }),
    masked: z
      .boolean()
      .default(false)
      .meta({ description: 'Whether columns are masked by rules: it is not what a disaster asks for.' }),
    sample: backupSampleSchema
      .nullable()
      .default(null)
      .meta({ description: 'Of which tables it keeps a part of the rows; null: it has all of them.' }),
    incomplete: z
      .object({
        tables: z
          .array(z.string())
          .meta({ description: 'Tables whose rows row security hid from the login, the first ones of many.' }),
        tables_total: z.int(),
        large_objects: z.int().meta({ description: 'Large objects that the login may not read.' }),
      })
      .nullable()
      .default(null)
      .meta({ description: 'What of it all the login could not read, so that it is missing; null: nothing.' }),
    status: backupStatusSchema,
    job_id: z.string().meta({ description: 'The job that makes or made it.' }),
    requested_by: z
      .string()
      .meta({ description: '`sub` of the caller, `schedule`, or `recovery`: the window needs it.' }),
    created_at: z.iso.datetime(),
    snapshot_at: z.iso.datetime().nullable().meta({ description: 'The moment whose state the backup holds.' }),
    ended_at: z.iso.datetime().nullable(),
    stored_at: z.iso
      .datetime()
      .nullable()
      .default(null)
      .meta({ description: "When it was complete, by S3's clock; null until retention has looked at it once." }),
    locked_until: z.iso
      .datetime()
      .nullable()
      .default(null)
      .meta({ description: 'How long S3 keeps its objects from being deleted (object lock), as last seen.' }),
    depends_on: z.array(backupIdSchema).default([]).meta({
      description:
        'The backups that are kept as long as this one: without the base of an incremental one it cannot be restored.',
    }),
    increment: incrementSchema
      .nullable()
      .default(null)
      .meta({ description: 'Of an incremental one that is complete; null otherwise.' }),
    expires_at: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When retention may remove it, at the earliest; null: nobody can say. See `retention`.' }),
    retention: retentionSchema
      .nullable()
      .default(null)
      .meta({ description: 'Why it is kept; null while it is being deleted.' }),
    server_version: z
      .int()
      .nullable()
      .meta({ description: '`server_version_num`.', examples: [180004] }),
    tables: z.int().nullable().meta({ description: 'Tables whose rows it holds, or the changes of whose rows.' }),
    rows: z.int().nullable().meta({ description: 'null of an incremental one: see its `increment.changes`.' }),
    bytes: z.int().nullable().meta({ description: 'Bytes of COPY text; of an incremental one, of decoded changes.' }),
    stored_bytes: z.int().nullable().meta({ description: 'Bytes of all objects in the bucket.' }),
    objects: z.int().nullable(),
    last_validation: validationSchema
      .nullable()
      .default(null)
      .meta({ description: 'The last validation, of either level; null: there was none that is known.' }),
    last_drill: validationSchema
      .nullable()
      .default(null)
      .meta({ description: 'The last one of the level `restore`; null: there was none that is known.' }),
    proven_at: z.iso.datetime().nullable().default(null).meta({
      description: 'When a drill last restored it, unless a later validation of either level failed.',
    }),
    damage: damageSchema
      .nullable()
      .default(null)
      .meta({ description: 'Why it is `damaged`; null of every other backup.' }),
    error: z.string().nullable().meta({ description: 'Why it failed.' }),
    progress: progressSchema.nullable().meta({ description: 'Of the running job; null otherwise.' }),
  })
  .meta({ id: 'Backup', description: 'A backup and what it holds.' });

export type BackupSample = z.output<typeof backupSampleSchema>;
export type Backup = z.output<typeof backupSchema>;
export type BackupDamage = z.output<typeof damageSchema>;
export type Validation = z.output<typeof validationSchema>;
export type BackupType = z.output<typeof backupTypeSchema>;
export type Increment = z.output<typeof incrementSchema>;
